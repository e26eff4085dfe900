// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery
import { Type } from 'typebox'
import { readIdentities } from '../devices/read-identities.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { failuresOf, mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS, splitUsers } from './key-schemas.ts'
import { v3 } from './paths.ts'

export const queryKeys = defineEndpoint({
  operation: 'queryKeys',
  method: 'POST',
  ...v3('/keys/query'),
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({
    device_keys: mapOf(Type.Array(Type.String(), { maxItems: 10_000 }), MAX_USERS),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { session, body }) => {
    const { local, servers } = splitUsers(hs, Object.keys(body.device_keys))
    const wanted = new Map(
      local.map((userId) => {
        const ids = body.device_keys[userId]!
        return [userId, ids.length === 0 ? undefined : new Set(ids)]
      }),
    )
    return { ...(await readIdentities(hs.db, wanted, session.userId)), failures: failuresOf(servers) }
  },
})
