// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { claimKeys as claim, type KeyWish } from '../devices/claim-keys.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS, serverTimeout, splitUsers } from './key-schemas.ts'
import { v3 } from './paths.ts'

const MAX_WISHES = 10_000

export const claimKeys = defineEndpoint({
  operation: 'claimKeys',
  method: 'POST',
  ...v3('/keys/claim'),
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({
    one_time_keys: mapOf(mapOf(Type.String({ maxLength: 255 }), MAX_WISHES), MAX_USERS),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { body, signal }): Promise<JsonObject> => {
    const { local, remote } = splitUsers(hs, Object.keys(body.one_time_keys))
    const wishesOf = (userIds: readonly UserId[]): KeyWish[] =>
      userIds.flatMap((userId) =>
        Object.entries(body.one_time_keys[userId]!).map(([deviceId, algorithm]) => ({
          userId,
          deviceId,
          algorithm,
        })),
      )
    const [ours, theirs] = [wishesOf(local), wishesOf(remote)]
    if (ours.length + theirs.length > MAX_WISHES)
      throw invalidParam(`Claim at most ${MAX_WISHES} keys at a time`)
    const options = { timeoutMs: serverTimeout(body.timeout), signal }
    const [held, asked] = await Promise.all([claim(hs, ours), hs.remoteDevices.claim(theirs, options)])
    return { one_time_keys: { ...held, ...asked.keys }, failures: asked.failures }
  },
})
