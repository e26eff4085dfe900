// https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery
import { Type } from 'typebox'
import { mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS } from '../../client/key-schemas.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { usersOfOurs } from '../require-ours.ts'
import { readPublicIdentities } from './public-identities.ts'

export const queryUserKeys = defineEndpoint({
  operation: 'queryUserEncryptionKeys',
  method: 'POST',
  path: '/_matrix/federation/v1/user/keys/query',
  auth: 'server',
  rateLimit: 'federation',
  body: Type.Object({ device_keys: mapOf(Type.Array(Type.String(), { maxItems: 10_000 }), MAX_USERS) }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { body }) => {
    const wanted = usersOfOurs(hs, Object.keys(body.device_keys)).map((userId) => {
      const ids = body.device_keys[userId]!
      return [userId, ids.length === 0 ? undefined : new Set(ids)] as const
    })
    const found = await readPublicIdentities(hs, new Map(wanted))
    const { device_keys, master_keys, self_signing_keys } = found
    return { device_keys, master_keys, self_signing_keys }
  },
})
