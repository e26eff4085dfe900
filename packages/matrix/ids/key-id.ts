import { isOpaqueText } from './common-format.ts'
import type { KeyId } from './ids.ts'

const ALGORITHM = /^[a-z][a-z0-9_.-]*$/
const SERVER_KEY = /^ed25519:[A-Za-z0-9_]+$/

/**
 * A key id, or undefined: `algorithm:name`, where the name is a server key's version, a device id, or a public
 * key in base64. https://spec.matrix.org/v1.19/appendices/#signing-details
 */
export function parseKeyId(text: string): KeyId | undefined {
  return isKeyId(text) ? text : undefined
}

/** As `parseKeyId`, as a type guard for values of any type. */
export function isKeyId(value: unknown): value is KeyId {
  if (typeof value !== 'string' || !isOpaqueText(value)) return false
  const colon = value.indexOf(':')
  return colon !== -1 && colon < value.length - 1 && ALGORITHM.test(value.slice(0, colon))
}

/** Whether a key id is one that a server may publish: Ed25519, with a version of letters, digits and `_`. */
export function isServerKeyId(value: unknown): value is KeyId {
  return typeof value === 'string' && isOpaqueText(value) && SERVER_KEY.test(value)
}

/** The key id of an algorithm and a name, or undefined when they make none. */
export function formatKeyId(algorithm: string, name: string): KeyId | undefined {
  return algorithm.includes(':') ? undefined : parseKeyId(`${algorithm}:${name}`)
}

/** Algorithm (`ed25519`, `curve25519`, `signed_curve25519`, …) and name of a key id. */
export function splitKeyId(keyId: KeyId): { algorithm: string; name: string } {
  const colon = keyId.indexOf(':')
  return { algorithm: keyId.slice(0, colon), name: keyId.slice(colon + 1) }
}
