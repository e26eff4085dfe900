// https://spec.matrix.org/v1.19/client-server-api/#reporting-content
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { fileReport } from '../moderation/reports.ts'
import { findRoom } from '../rooms/load-head.ts'
import { requireEvent } from './get-event.ts'
import { v3 } from './paths.ts'
import { eventIdText, roomParams, roomIdText, userIdText } from './schemas.ts'

const Body = Type.Object({
  reason: Type.Optional(Type.String({ maxLength: 10_000 })),
  // Of before version 1.18 of the specification; nobody has used it.
  score: Type.Optional(Type.Integer()),
})

/** Only what the reporter may see: else a report would tell them that it exists. */
export const reportEvent = defineEndpoint({
  operation: 'reportEvent',
  method: 'POST',
  ...v3('/rooms/:roomId/report/:eventId'),
  auth: 'user',
  rateLimit: 'report',
  params: Type.Object({ roomId: roomIdText, eventId: eventIdText }),
  body: Body,
  run: async (hs, { session, params, body }) => {
    const { roomId, eventId } = params
    const { userId: reporter } = session
    const { joined } = await hs.rooms.members.roomsOf(reporter)
    if (!joined.has(roomId)) throw notFound('There is no such event in a room that you are in')
    const { visible } = await requireEvent(hs, session, roomId, eventId)
    const userId = visible.event.sender
    await fileReport(hs, { kind: 'event', reporter, roomId, eventId, userId, reason: body.reason ?? '' })
    return {}
  },
})

/** Answered in the same way whether the room exists or not. */
export const reportRoom = defineEndpoint({
  operation: 'reportRoom',
  method: 'POST',
  ...v3('/rooms/:roomId/report'),
  auth: 'user',
  rateLimit: 'report',
  params: roomParams,
  body: Body,
  run: async (hs, { session, params, body }) => {
    const { roomId } = params
    if ((await findRoom(hs.rooms, roomId)) === undefined) return {}
    await fileReport(hs, { kind: 'room', reporter: session.userId, roomId, reason: body.reason ?? '' })
    return {}
  },
})

/** Answered in the same way whether somebody of ours exists or not; of others we cannot know. */
export const reportUser = defineEndpoint({
  operation: 'reportUser',
  method: 'POST',
  ...v3('/users/:userId/report'),
  auth: 'user',
  rateLimit: 'report',
  params: Type.Object({ userId: userIdText }),
  body: Body,
  run: async (hs, { session, params, body }) => {
    const { userId } = params
    const isOurs = serverNameOf(userId) === hs.serverName
    if (isOurs && (await findUser(hs.db, userId)) === undefined) return {}
    await fileReport(hs, { kind: 'user', reporter: session.userId, userId, reason: body.reason ?? '' })
    return {}
  },
})
