// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
import { Type } from 'typebox'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { requireUnblocked } from '../moderation/blocked-rooms.ts'
import { sendState } from '../rooms/send-state.ts'
import { requireRejectable } from '../server-notices/require-rejectable.ts'
import { carryOverAll } from '../user-data/carry-over.ts'
import { appserviceTimestamp, timestampQuery } from './appservice-timestamp.ts'
import { v3 } from './paths.ts'
import { roomIdText } from './schemas.ts'
import { requireInviteWanted } from '../rooms/invite-permissions.ts'

const COMES_IN: ReadonlySet<unknown> = new Set(['join', 'knock', 'invite'])
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
  query: timestampQuery,
  body: jsonObject,
  run: async (hs, { session, params, query, body, signal }) => {
    const { roomId, eventType: type, stateKey = '' } = params
    const sender = session.userId
    if (type === 'm.room.member' && COMES_IN.has(body['membership'])) await requireUnblocked(hs, roomId)
    const target =
      type === 'm.room.member' && body['membership'] === 'invite' ? parseUserId(stateKey) : undefined
    if (target !== undefined && serverNameOf(target) !== hs.serverName) {
      // The invited user's server has to sign it first.
      return { event_id: await hs.joining.invite({ roomId, sender, target, content: body }, signal) }
    }
    if (target !== undefined) await requireInviteWanted(hs.rooms, sender, target)
    if (type === 'm.room.member' && stateKey === sender && body['membership'] === 'leave')
      await requireRejectable(hs, sender, roomId)
    const more = appserviceTimestamp(session, query)
    const eventId = await sendState(hs, { roomId, type, stateKey, sender, content: body, ...more })
    // A room that is replaced step by step, by a client: whoever is in the new one already was there first.
    const replacement = type === 'm.room.tombstone' && stateKey === '' ? body['replacement_room'] : undefined
    if (isRoomId(replacement)) await carryOverAll(hs, replacement)
    return { event_id: eventId }
  },
})
