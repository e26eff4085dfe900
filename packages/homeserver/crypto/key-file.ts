import type { KeyId } from '@causeway/matrix/ids/ids.ts'
import type { SigningKey } from './signing-key.ts'

/** A key that signed once. */
export interface OldKey {
  readonly keyId: KeyId
  /** Unpadded base64. */
  readonly publicKey: string
  /** Milliseconds: when it signed last. Undefined: until the server is started anew. */
  readonly expiredTs: number | undefined
}

/** What the key file holds. The first key signs events and requests; all of them are published as current. */
export interface KeyFile {
  readonly keys: readonly [SigningKey, ...SigningKey[]]
  readonly old: readonly OldKey[]
}

const KEY = /^ed25519 ([A-Za-z0-9_]+) ([A-Za-z0-9+/]{43})=?$/
const OLD = /^old ed25519 ([A-Za-z0-9_]+) ([A-Za-z0-9+/]{43})=? (\d{1,16}|until-restart)$/

const keyIdOf = (name: string): KeyId => `ed25519:${name}` as KeyId

/**
 * Reads a key file: a line `ed25519 <name> <seed in base64>` for each key, as other homeservers write it too, and
 * `old ed25519 <name> <public key> <milliseconds>` for each of before. Answers a sentence when it is none.
 */
export function parseKeyFile(text: string): KeyFile | string {
  const keys: SigningKey[] = []
  const old: OldKey[] = []
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const current = KEY.exec(line)
    const former = OLD.exec(line)
    if (current !== null) {
      keys.push({ keyId: keyIdOf(current[1]!), seed: new Uint8Array(Buffer.from(current[2]!, 'base64')) })
    } else if (former !== null) {
      const expiredTs = former[3] === 'until-restart' ? undefined : Number(former[3])
      old.push({ keyId: keyIdOf(former[1]!), publicKey: former[2]!, expiredTs })
    } else return 'each line should read "ed25519 <name> <base64>"'
  }
  const ids = [...keys, ...old].map(({ keyId }) => keyId)
  if (new Set(ids).size !== ids.length) return 'two keys have the same name'
  const [first, ...others] = keys
  return first === undefined ? 'it should read "ed25519 <name> <base64>"' : { keys: [first, ...others], old }
}

const nameOf = (keyId: KeyId): string => keyId.slice('ed25519:'.length)

export function formatKeyFile({ keys, old }: KeyFile): string {
  const current = keys.map(
    ({ keyId, seed }) =>
      `ed25519 ${nameOf(keyId)} ${Buffer.from(seed).toString('base64').replaceAll('=', '')}\n`,
  )
  const former = old.map(
    ({ keyId, publicKey, expiredTs }) =>
      `old ed25519 ${nameOf(keyId)} ${publicKey} ${expiredTs ?? 'until-restart'}\n`,
  )
  return [...current, ...former].join('')
}
