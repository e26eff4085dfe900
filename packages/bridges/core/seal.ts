import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '@causeway/store/clock/clock.ts'

const NONCE = 12
const TAG = 16

/** Encrypts with AES-256-GCM; `context` (whose, where) is bound to it, so that a row copied elsewhere opens nothing. */
export function seal(key: Uint8Array, random: Random, text: string, context: string): Uint8Array {
  const nonce = random.bytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(context))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return new Uint8Array(Buffer.concat([nonce, cipher.getAuthTag(), sealed]))
}

/** What was sealed; undefined where key or context differ or something was changed. */
export function unseal(key: Uint8Array, sealed: Uint8Array, context: string): string | undefined {
  if (sealed.length < NONCE + TAG) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(sealed.subarray(NONCE, NONCE + TAG))
    return Buffer.concat([decipher.update(sealed.subarray(NONCE + TAG)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
