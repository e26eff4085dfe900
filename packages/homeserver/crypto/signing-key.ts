import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Random } from '@causeway/store/clock/clock.ts'

/** The server's signing key as it is kept in its file. */
export interface SigningKey {
  readonly keyId: KeyId
  /** The 32-byte Ed25519 seed. */
  readonly seed: Uint8Array
}

const LINE = /^ed25519 ([A-Za-z0-9_]+) ([A-Za-z0-9+/]{43})=?\s*$/

/**
 * Reads the key file (`ed25519 <name> <seed in base64>`, as other homeservers write it too), or makes it with a
 * new key when there is none. Throws with a sentence for the operator when the file is something else.
 */
export async function loadSigningKey(path: string, random: Random): Promise<SigningKey> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return createKeyFile(path, random)
  const match = LINE.exec(text)
  if (match === null) throw new Error(`${path} is no signing key: it should read "ed25519 <name> <base64>"`)
  return { keyId: `ed25519:${match[1]!}` as KeyId, seed: new Uint8Array(Buffer.from(match[2]!, 'base64')) }
}

/** Durable before it is used: a key that is lost after it signed cannot be replaced. */
async function createKeyFile(path: string, random: Random): Promise<SigningKey> {
  const name = `a_${random.token(6)}`
  const seed = random.bytes(32)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`ed25519 ${name} ${Buffer.from(seed).toString('base64').replace('=', '')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  return { keyId: `ed25519:${name}` as KeyId, seed }
}

// PKCS #8 around a raw Ed25519 seed (RFC 8410).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Signs on the calling thread (about 40 µs): for what is not on a hot path. */
export function createSigner(serverName: ServerName, { keyId, seed }: SigningKey): Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  return {
    serverName,
    keyId,
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64').slice(0, 86),
  }
}

/** The public half, as unpadded base64. */
export function publicKeyOf({ seed }: SigningKey): string {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(jwk.x!, 'base64url').toString('base64').replace('=', '')
}
