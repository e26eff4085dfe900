import type { MentionTarget } from './tree.ts'

/**
 * What a `https://matrix.to/#/…` or `matrix:` URI points at, else undefined.
 * https://spec.matrix.org/v1.19/appendices/#uris
 */
export function parseMatrixLink(url: string): MentionTarget | undefined {
  if (url.length > 2048) return undefined
  const to = /^https?:\/\/(?:www\.)?matrix\.to\/#\//i.exec(url)
  if (to !== null) return parseMatrixTo(url.slice(to[0].length))
  const uri = /^matrix:(?:\/\/[^/?#]*\/)?/i.exec(url)
  return uri === null ? undefined : parseMatrixUri(url.slice(uri[0].length))
}

function parseMatrixTo(rest: string): MentionTarget | undefined {
  const path = rest.split('?', 1)[0] ?? ''
  const parts = path.split('/').map(decodePart)
  const [id, eventId] = parts
  if (id === undefined) return undefined
  if (isId(id, '@')) return { kind: 'person', userId: id }
  return roomTarget(id, eventId)
}

function parseMatrixUri(rest: string): MentionTarget | undefined {
  const path = rest.split(/[?#]/, 1)[0] ?? ''
  const [kind, name, sub, event] = path.split('/').map(decodePart)
  if (name === undefined) return undefined
  if (kind === 'u' && isId(`@${name}`, '@')) return { kind: 'person', userId: `@${name}` }
  const sigil = kind === 'r' ? '#' : kind === 'roomid' ? '!' : undefined
  if (sigil === undefined) return undefined
  return roomTarget(sigil + name, sub === 'e' && event !== undefined ? `$${event}` : undefined)
}

function roomTarget(room: string, eventId: string | undefined): MentionTarget | undefined {
  // A room id of version 12 has no server part.
  if (!isId(room, '#') && !/^![^\s]{1,254}$/.test(room)) return undefined
  const event = eventId !== undefined && /^\$[^\s]{1,254}$/.test(eventId) ? eventId : undefined
  return { kind: 'room', room, ...(event !== undefined && { eventId: event }) }
}

function isId(id: string, sigil: '@' | '#'): boolean {
  return id.length <= 255 && id.startsWith(sigil) && /^.[^\s:]*:[^\s/]+$/.test(id)
}

/** Percent-decoded, or as it stands where the encoding is broken. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The `https://matrix.to/#/…` URI of a person, room or event; undefined for `everyone`. */
export function formatMatrixTo(target: MentionTarget): string | undefined {
  if (target.kind === 'everyone') return undefined
  if (target.kind === 'person') return `https://matrix.to/#/${encodePart(target.userId)}`
  const event = target.eventId === undefined ? '' : `/${encodePart(target.eventId)}`
  return `https://matrix.to/#/${encodePart(target.room)}${event}`
}

/** Percent-encoded but for what clients usually leave readable. */
function encodePart(id: string): string {
  return encodeURIComponent(id.toWellFormed())
    .replaceAll('%40', '@')
    .replaceAll('%3A', ':')
    .replaceAll('%24', '$')
}
