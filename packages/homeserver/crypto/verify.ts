import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { VerifySignature } from '@causeway/matrix/events/pdu.ts'

/** Keys seen lately, parsed: a room's events mostly come from few servers. Emptied when full. */
const parsed = new Map<string, KeyObject>()
const MAX_PARSED = 1_000

function publicKeyOf(base64: string): KeyObject {
  const known = parsed.get(base64)
  if (known !== undefined) return known
  const x = Buffer.from(base64, 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(base64, key)
  return key
}

/** Ed25519 by node:crypto (about 115 µs). A malformed key or signature is an invalid one. */
export const verifySignature: VerifySignature = (publicKeyBase64, canonicalJson, signature) => {
  try {
    const bytes = Buffer.from(signature, 'base64')
    return verify(null, Buffer.from(canonicalJson, 'utf8'), publicKeyOf(publicKeyBase64), bytes)
  } catch {
    return false
  }
}

/** As `VerifySignature`, while this thread does something else. Never rejects. */
export type VerifyElsewhere = (...signature: Parameters<VerifySignature>) => Promise<boolean>

const verifyInPool = promisify(verify)

/** On the threads of libuv's pool, as many at once as it has (four, or what `UV_THREADPOOL_SIZE` says). */
export const verifySignatureInPool: VerifyElsewhere = async (publicKeyBase64, canonicalJson, signature) => {
  try {
    const bytes = Buffer.from(signature, 'base64')
    return await verifyInPool(null, Buffer.from(canonicalJson, 'utf8'), publicKeyOf(publicKeyBase64), bytes)
  } catch {
    return false
  }
}
