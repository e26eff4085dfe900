// https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS } from '../../client/key-schemas.ts'
import { claimKeys } from '../../devices/claim-keys.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { usersOfOurs } from '../require-ours.ts'

const MAX_WISHES = 10_000

export const claimUserKeys = defineEndpoint({
  operation: 'claimUserEncryptionKeys',
  method: 'POST',
  path: '/_matrix/federation/v1/user/keys/claim',
  auth: 'server',
  rateLimit: 'federation',
  body: Type.Object({ one_time_keys: mapOf(mapOf(Type.String({ maxLength: 255 }), MAX_WISHES), MAX_USERS) }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { body }) => {
    const wishes = usersOfOurs(hs, Object.keys(body.one_time_keys)).flatMap((userId) =>
      Object.entries(body.one_time_keys[userId]!).map(([deviceId, algorithm]) => ({
        userId,
        deviceId,
        algorithm,
      })),
    )
    if (wishes.length > MAX_WISHES) throw invalidParam(`Claim at most ${MAX_WISHES} keys at a time`)
    return { one_time_keys: await claimKeys(hs, wishes) }
  },
})
