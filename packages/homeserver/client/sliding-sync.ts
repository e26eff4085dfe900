// https://github.com/matrix-org/matrix-spec-proposals/pull/4186
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { parsePos } from '../sync/sliding/pos.ts'
import { slidingSync as runSlidingSync } from '../sync/sliding/sliding-sync.ts'
import { parseSlidingRequest, slidingBody } from './sliding-request.ts'

export const slidingSync = defineEndpoint({
  operation: 'slidingSync',
  method: 'POST',
  path: '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
  auth: 'user',
  query: Type.Object({
    pos: Type.Optional(Type.String()),
    set_presence: Type.Optional(
      Type.Union([Type.Literal('offline'), Type.Literal('online'), Type.Literal('unavailable')]),
    ),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  body: slidingBody,
  // Some clients subscribe to hundreds of rooms, each with all that they want of it.
  maxBodyBytes: 1024 * 1024,
  run: async (hs, { session, query, body, signal }) => {
    const { userId, deviceId } = session
    if (deviceId === undefined) throw invalidParam('Name a device_id to sync as')
    const pos = query.pos === undefined || query.pos === '' ? undefined : parsePos(query.pos, hs.epochs)
    const request = parseSlidingRequest(body, userId)
    hs.presence.noteSync(userId, query.set_presence ?? 'online', deviceId)
    return runSlidingSync(hs, { session, deviceId, pos, request, timeoutMs: query.timeout ?? 0, signal })
  },
})
