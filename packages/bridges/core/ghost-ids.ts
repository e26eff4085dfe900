import type { RemotePerson } from './network.ts'

/** Characters a localpart may hold as they are; others become `=` and two hexadecimal digits per byte. */
const PLAIN = /[a-z0-9.-]/

function encodePart(text: string): string {
  let out = ''
  for (const char of text) {
    if (PLAIN.test(char)) out += char
    else for (const byte of Buffer.from(char)) out += `=${byte.toString(16).padStart(2, '0')}`
  }
  return out
}

function decodePart(text: string): string {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '=') {
      bytes.push(Number.parseInt(text.slice(at + 1, at + 3), 16))
      at += 2
    } else bytes.push(text.charCodeAt(at))
  }
  return Buffer.from(bytes).toString()
}

/** A user id has at most 255 bytes; a server name needs its share of them. */
const MAX_LOCALPART = 180

/** Names ghosts and tells whom they stand for: `@<prefix><network>_<server>_<person>:<server name>`. Pure. */
export interface GhostIds {
  /** Undefined for an id too long to stand for. */
  userIdOf(network: string, server: string, remoteId: string): string | undefined
  /** Undefined for users that are no ghosts. */
  parse(userId: string): { network: string; server: string; remoteId: string } | undefined
  isGhost(userId: string): boolean
}

export function createGhostIds(prefix: string, serverName: string): GhostIds {
  const suffix = `:${serverName}`
  const parse: GhostIds['parse'] = (userId) => {
    if (!userId.startsWith(`@${prefix}`) || !userId.endsWith(suffix)) return undefined
    const [network, server, person, ...more] = userId.slice(1 + prefix.length, -suffix.length).split('_')
    if (network === undefined || server === undefined || person === undefined || more.length > 0)
      return undefined
    return { network: decodePart(network), server: decodePart(server), remoteId: decodePart(person) }
  }
  return {
    userIdOf: (network, server, remoteId) => {
      const localpart = `${prefix}${encodePart(network)}_${encodePart(server)}_${encodePart(remoteId)}`
      return localpart.length > MAX_LOCALPART ? undefined : `@${localpart}${suffix}`
    },
    parse,
    isGhost: (userId) => userId.startsWith(`@${prefix}`) && userId.endsWith(suffix),
  }
}

/** What networks may ask about people on the Matrix side. */
export interface People {
  /** The user that stands for a person of the network. */
  userIdOf(server: string, person: RemotePerson): string | undefined
  /** The network's own person behind a user id. */
  remoteIdOf(server: string, userId: string): string | undefined
}
