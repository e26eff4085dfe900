import type { VerifySignature } from '../events/pdu.ts'
import { isServerKeyId } from '../ids/key-id.ts'
import type { KeyId } from '../ids/ids.ts'
import { MatrixError } from '../errors/matrix-error.ts'
import { isJsonObject } from '../json/parse.ts'
import { decodeBase64 } from './base64.ts'
import { jsonSigningText } from './sign-json.ts'

const ED25519 = /^ed25519:./
const SIGNATURE_BYTES = 64

export type SignatureVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/**
 * Whether `entity` (a server or user) signed a JSON object: it has a signature by a key that `findKey` knows, and
 * every signature of its known keys is right. `findKey` answers public keys in unpadded base64. Not for events,
 * see `verifyEvent`. https://spec.matrix.org/v1.19/appendices/#checking-for-a-signature
 */
export function verifyJson(
  object: object,
  entity: string,
  findKey: (keyId: KeyId) => string | undefined,
  verify: VerifySignature,
): SignatureVerdict {
  try {
    return verifyText(
      jsonSigningText(object),
      (object as { signatures?: unknown }).signatures,
      entity,
      findKey,
      verify,
    )
  } catch (fault) {
    if (fault instanceof MatrixError) return { ok: false, reason: fault.message }
    throw fault
  }
}

/** As `verifyJson`, over a text that the caller has made. */
export function verifyText(
  text: string,
  signatures: unknown,
  entity: string,
  findKey: (keyId: KeyId) => string | undefined,
  verify: VerifySignature,
): SignatureVerdict {
  let checked = 0
  for (const [keyId, signature] of signaturesOf(signatures, entity)) {
    const publicKey = findKey(keyId)
    if (publicKey === undefined) continue
    if (decodeBase64(signature)?.length !== SIGNATURE_BYTES) {
      return { ok: false, reason: `the signature of ${entity} with ${keyId} is not 64 bytes of base64` }
    }
    if (!verify(publicKey, text, signature)) {
      return { ok: false, reason: `the signature of ${entity} with ${keyId} is wrong` }
    }
    checked++
  }
  return checked > 0 ? { ok: true } : { ok: false, reason: `no signature of ${entity} by a known, valid key` }
}

/** The Ed25519 signatures of an entity, as (key id, signature); other algorithms are left out. */
export function signaturesOf(signatures: unknown, entity: string): readonly (readonly [KeyId, string])[] {
  if (!isJsonObject(signatures) || !Object.hasOwn(signatures, entity)) return []
  const own = signatures[entity]
  if (!isJsonObject(own)) return []
  return Object.entries(own).filter(
    (entry): entry is [KeyId, string] => ED25519.test(entry[0]) && typeof entry[1] === 'string',
  )
}

/** The key ids of servers under which an entity signed; those that no server can publish are left out. */
export function signingKeyIdsOf(signatures: unknown, entity: string): KeyId[] {
  return signaturesOf(signatures, entity)
    .map(([keyId]) => keyId)
    .filter(isServerKeyId)
}
