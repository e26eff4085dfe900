import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import { formatKeyFile, parseKeyFile, type KeyFile } from './key-file.ts'
import { replaceFile } from './replace-file.ts'

/** The server's signing key as it is kept in its file. */
export interface SigningKey {
  readonly keyId: KeyId
  /** The 32-byte Ed25519 seed. */
  readonly seed: Uint8Array
}

/** The keys of the file; undefined when there is none. @throws Error with a sentence for the operator */
export async function findSigningKeys(path: string): Promise<KeyFile | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const file = parseKeyFile(text)
  if (typeof file === 'string') throw new Error(`${path} is no signing key: ${file}`)
  return file
}

/**
 * Reads the key that signs, or makes the file with a new key when there is none. Throws with a sentence for the
 * operator when the file is something else.
 */
export async function loadSigningKey(path: string, random: Random): Promise<SigningKey> {
  return (await loadSigningKeys(path, random)).keys[0]
}

/** As `loadSigningKey`: every key of the file, the one that signs first, and those of before. */
export async function loadSigningKeys(path: string, random: Random): Promise<KeyFile> {
  return (await findSigningKeys(path)) ?? createKeyFile(path, random)
}

/**
 * As `loadSigningKeys`, for a server that starts to sign now: a key that `rotateSigningKey` has put aside was in
 * use until this moment, which is written down.
 */
export async function takeSigningKeys(path: string, random: Random, now: number): Promise<KeyFile> {
  const file = await loadSigningKeys(path, random)
  if (file.old.every(({ expiredTs }) => expiredTs !== undefined)) return file
  const settled = { ...file, old: file.old.map((key) => ({ ...key, expiredTs: key.expiredTs ?? now })) }
  await replaceFile(path, formatKeyFile(settled))
  return settled
}

/**
 * Puts a new key in front; the one that signed until now is kept as an old one, without its private half. A running
 * server goes on with it until it is started anew.
 * @returns the id of the new key
 */
export async function rotateSigningKey(path: string, random: Random): Promise<KeyId> {
  const before = await loadSigningKeys(path, random)
  const [retired, ...others] = before.keys
  const key = makeKey(random)
  const old = [{ keyId: retired.keyId, publicKey: publicKeyOf(retired), expiredTs: undefined }, ...before.old]
  await replaceFile(path, formatKeyFile({ keys: [key, ...others], old }))
  return key.keyId
}

function makeKey(random: Random): SigningKey {
  return { keyId: `ed25519:a_${random.token(6)}` as KeyId, seed: random.bytes(32) }
}

/** Durable before it is used: a key that is lost after it signed cannot be replaced. */
async function createKeyFile(path: string, random: Random): Promise<KeyFile> {
  const made: KeyFile = { keys: [makeKey(random)], old: [] }
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(formatKeyFile(made))
    await file.sync()
  } finally {
    await file.close()
  }
  return made
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
