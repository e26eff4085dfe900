// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget
import { Type } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'
import { roomParams } from './schemas.ts'

export const forgetRoom = defineEndpoint({
  operation: 'forgetRoom',
  method: 'POST',
  ...v3('/rooms/:roomId/forget'),
  auth: 'user',
  params: roomParams,
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  run: async (hs, { session, params }) => {
    const room = (await hs.rooms.members.roomsOf(session.userId)).byId.get(params.roomId)
    if (room?.membership === 'join' || room?.membership === 'invite') {
      throw new MatrixError('M_UNKNOWN', 'Leave the room before you forget it', { status: 400 })
    }
    if (room === undefined || room.forgotten) return {}
    const result = await hs.db.commit({
      entries: [],
      steps: [
        {
          sql: "UPDATE memberships SET forgotten = 1 WHERE user_id = ? AND room_nid = ? AND membership IN ('leave', 'ban')",
          params: [session.userId, room.roomNid],
          expectRows: 1,
        },
      ],
    })
    if (!result.ok) throw new MatrixError('M_UNKNOWN', 'Leave the room before you forget it', { status: 400 })
    hs.rooms.members.applyForget(session.userId, params.roomId)
    return {}
  },
})
