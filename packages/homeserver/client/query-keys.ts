// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery
import { Type } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { mergeIdentities, readIdentities } from '../devices/read-identities.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS, serverTimeout, splitUsers } from './key-schemas.ts'
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
  run: async (hs, { session, body, signal }) => {
    const { local, remote } = splitUsers(hs, Object.keys(body.device_keys))
    const devicesOf = (userIds: readonly UserId[]): Map<UserId, Set<string> | undefined> =>
      new Map(
        userIds.map((userId) => {
          const ids = body.device_keys[userId]!
          return [userId, ids.length === 0 ? undefined : new Set(ids)]
        }),
      )
    const viewer = session.userId
    const ours = await readIdentities(hs.db, devicesOf(local), viewer)
    if (remote.length === 0) return { ...ours, failures: {} }
    const timeoutMs = serverTimeout(body.timeout)
    const theirs = await hs.remoteDevices.query({ wanted: devicesOf(remote), viewer, timeoutMs, signal })
    return { ...mergeIdentities(ours, theirs.identities), failures: theirs.failures }
  },
})
