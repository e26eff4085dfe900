import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto'
import type { Sha256, Signer, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** SHA-256 as the protocol core takes it. */
export const sha256: Sha256 = (text) => hash('sha256', text, 'base64url')

const publicKeys = new Map<string, KeyObject>()

/** Ed25519 as the protocol core takes it. A key that is none verifies nothing. */
export const verifySignature: VerifySignature = (publicKey, text, signature) => {
  try {
    return verify(null, Buffer.from(text), loadPublicKey(publicKey), Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

function loadPublicKey(publicKey: string): KeyObject {
  const known = publicKeys.get(publicKey)
  if (known !== undefined) return known
  const x = Buffer.from(publicKey, 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  publicKeys.set(publicKey, key)
  return key
}

/** A server's signing key made from a seed of 32 bytes in base64: the same seed, the same signatures. */
export function makeSigner(
  serverName: string,
  keyId: string,
  seedBase64: string,
): Signer & { readonly publicKey: string } {
  const der = Buffer.concat([PKCS8_PREFIX, Buffer.from(seedBase64, 'base64')])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return {
    serverName: serverName as ServerName,
    keyId: keyId as KeyId,
    publicKey: Buffer.from(x ?? '', 'base64url')
      .toString('base64')
      .replaceAll('=', ''),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64').replaceAll('=', ''),
  }
}
