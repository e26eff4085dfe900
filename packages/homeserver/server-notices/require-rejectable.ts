import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { findEventsByNid } from '../rooms/read-events.ts'

/**
 * Throws `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM` when somebody wants to reject the server's invitation to hear a notice. Whoever
 * has come in may leave. https://spec.matrix.org/v1.19/client-server-api/#server-notices
 */
export async function requireRejectable(
  { rooms, serverNotices }: Pick<Homeserver, 'rooms' | 'serverNotices'>,
  userId: UserId,
  roomId: RoomId,
): Promise<void> {
  const room = (await rooms.members.roomsOf(userId)).byId.get(roomId)
  if (room?.membership !== 'invite') return
  const invitation = (await findEventsByNid(rooms, [room.eventNid])).get(room.eventNid)
  if (invitation?.sender !== serverNotices.userId) return
  throw new MatrixError(
    'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM',
    'The server has something to tell you: its invitation cannot be rejected. Accept it; the room can be left then',
  )
}
