// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
import { Type } from 'typebox'
import { scheduleEvent } from '../delayed/schedule.ts'
import { guestsForbidden } from '../http/account-standing.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { setState } from '../sending/set-state.ts'
import { appserviceTimestamp } from './appservice-timestamp.ts'
import { delayOf, delayQuery } from './delayed-events.ts'
import { requireJoined } from './own-user.ts'
import { v3 } from './paths.ts'
import { comingOrGoing, pretendEventId } from './pretend.ts'
import { roomIdText } from './schemas.ts'

const PATH = '/rooms/:roomId/state/:eventType'

export const setRoomStateWithKey = defineEndpoint({
  operation: 'setRoomStateWithKey',
  method: 'PUT',
  ...v3(`${PATH}/:stateKey`),
  // An empty state key leaves the last segment empty, or the slash away altogether.
  also: [
    ...v3(`${PATH}/:stateKey`).also,
    v3(PATH).path,
    ...v3(PATH).also,
    v3(`${PATH}/`).path,
    ...v3(`${PATH}/`).also,
  ],
  auth: 'user',
  rateLimit: 'message',
  params: Type.Object({
    roomId: roomIdText,
    eventType: Type.String({ minLength: 1 }),
    stateKey: Type.Optional(Type.String()),
  }),
  query: delayQuery,
  body: jsonObject,
  run: async (hs, { session, params, query, body, signal }) => {
    const { roomId, eventType: type, stateKey = '' } = params
    if (session.isGuest && type === 'm.room.member')
      throw guestsForbidden('Guests come and go by joining and leaving')
    const more = appserviceTimestamp(session, query)
    const draft = { roomId, type, stateKey, sender: session.userId, content: body, ...more }
    const delayMs = delayOf(query)
    if (delayMs !== undefined) return scheduleEvent(hs, { ...draft, delayMs })
    if (session.isShadowBanned !== true) return { event_id: await setState(hs, draft, signal) }
    const content = await comingOrGoing(hs, draft)
    if (content !== undefined) return { event_id: await setState(hs, { ...draft, content }, signal) }
    await requireJoined(hs, session, roomId)
    return { event_id: pretendEventId(hs) }
  },
})
