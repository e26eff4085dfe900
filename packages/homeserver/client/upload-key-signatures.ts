// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { checkKeySignatures, type SignatureFailure, type SignedKey } from '../devices/key-signatures.ts'
import { storeKeySignatures } from '../devices/store-key-signatures.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { mapOf } from './key-schemas.ts'
import { v3 } from './paths.ts'

/** Signed keys in one request; each costs a verification of about 0.1 ms. */
const MAX_SIGNED_KEYS = 500

function failuresByUser(failures: readonly SignatureFailure[]): JsonObject {
  const byUser = Map.groupBy(failures, (failure) => failure.userId)
  return Object.fromEntries(
    [...byUser].map(([userId, ofUser]) => [
      userId,
      Object.fromEntries(ofUser.map(({ target, errcode, error }) => [target, { errcode, error }])),
    ]),
  )
}

export const uploadKeySignatures = defineEndpoint({
  operation: 'uploadCrossSigningSignatures',
  method: 'POST',
  ...v3('/keys/signatures/upload'),
  also: [...v3('/keys/signatures/upload').also, '/_matrix/client/unstable/keys/signatures/upload'],
  auth: 'user',
  rateLimit: 'keys',
  body: mapOf(mapOf(jsonObject, MAX_SIGNED_KEYS), MAX_SIGNED_KEYS),
  maxBodyBytes: 1024 * 1024,
  run: async (hs, { session, body }) => {
    const keys = Object.entries(body).flatMap(([userId, signed]) =>
      Object.entries(signed).map(([target, object]): SignedKey => ({ userId, target, object })),
    )
    if (keys.length > MAX_SIGNED_KEYS)
      throw invalidParam(`Upload at most ${MAX_SIGNED_KEYS} signed keys at a time`)
    const { valid, failures } = await checkKeySignatures(hs.db, session.userId, keys)
    await storeKeySignatures(hs, session.userId, valid)
    return { failures: failuresByUser(failures) }
  },
})
