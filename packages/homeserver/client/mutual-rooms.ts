// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v1 } from './paths.ts'
import { roomIdText, userIdText } from './schemas.ts'

/** Rooms in one answer. */
const PAGE = 200

/** A page begins behind the room that `from` names: rooms are told in the order of their ids. */
export const getMutualRooms = defineEndpoint({
  operation: 'getMutualRooms',
  method: 'GET',
  ...v1('/mutual_rooms', '/uk.half-shot.msc2666/user/mutual_rooms'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ user_id: userIdText, from: Type.Optional(roomIdText) }),
  run: async (hs, { session, query }) => {
    if (query.user_id === session.userId) throw invalidParam('You share every room with yourself')
    const { members } = hs.rooms
    const [mine, theirs] = await Promise.all([
      members.roomsOf(session.userId),
      members.roomsOf(query.user_id),
    ])
    const shared = [...mine.joined].filter((roomId) => theirs.joined.has(roomId)).toSorted()
    const { from = '' } = query
    const rest = shared.filter((roomId) => roomId > from)
    const joined = rest.slice(0, PAGE)
    return {
      joined,
      count: shared.length,
      ...(rest.length > PAGE ? { next_batch: joined.at(-1)! } : {}),
    }
  },
})
