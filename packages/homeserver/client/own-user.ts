import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'

/** Throws `M_FORBIDDEN` when the user in a path is somebody else. */
export function requireSelf(session: Session, userId: UserId): void {
  if (session.userId !== userId) throw forbidden(`You are ${session.userId} and not ${userId}`)
}

/** Throws `M_FORBIDDEN` for who is not joined to a room. */
export async function requireJoined(hs: Homeserver, session: Session, roomId: RoomId): Promise<void> {
  const { joined } = await hs.rooms.members.roomsOf(session.userId)
  if (!joined.has(roomId)) throw forbidden('You are not in this room')
}
