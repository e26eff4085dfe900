// https://spec.matrix.org/v1.19/client-server-api/#presence
import { Type } from 'typebox'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { presenceContent } from '../presence/presence-event.ts'
import { requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { userIdText } from './schemas.ts'

const params = Type.Object({ userId: userIdText })

export const getPresence = defineEndpoint({
  operation: 'getPresence',
  method: 'GET',
  ...v3('/presence/:userId/status'),
  auth: 'user',
  rateLimit: 'read',
  params,
  run: async (hs, { session, params: { userId } }) => {
    if (userId !== session.userId && !(await hs.rooms.members.shareRoom(session.userId, userId)))
      throw forbidden(`You share no room with ${userId}, so you do not see whether they are there`)
    return presenceContent(hs.presence.of(userId), hs.clock.now())
  },
})

export const setPresence = defineEndpoint({
  operation: 'setPresence',
  method: 'PUT',
  ...v3('/presence/:userId/status'),
  auth: 'user',
  rateLimit: 'read',
  params,
  body: Type.Object({
    presence: Type.Enum(['online', 'unavailable', 'offline']),
    status_msg: Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()])),
  }),
  run: async (hs, { session, params: { userId }, body }) => {
    requireSelf(session, userId)
    // Others are told by way of the rooms they share, so these must be known.
    await hs.rooms.members.roomsOf(userId)
    hs.presence.set(userId, body.presence, body.status_msg ?? undefined)
    return {}
  },
})
