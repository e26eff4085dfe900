import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import type { RoomEngine } from '../engine.ts'
import { stateOf, type RoomWrite } from '../room-write.ts'

/** Throws `M_FORBIDDEN` when the room's server ACL shuts a server out. */
export async function requireServerAllowed(
  engine: RoomEngine,
  write: RoomWrite,
  server: ServerName,
): Promise<void> {
  const acl = await stateOf(engine, write, 'm.room.server_acl', '')
  if (isServerAllowed(acl?.stored.content, server)) return
  throw forbidden(`The server ${server} is not allowed in this room by its access control list`)
}

/** Throws `M_NOT_FOUND` when nobody of this server is in the room: then its state is not ours to tell. */
export async function requireResident(engine: RoomEngine, write: RoomWrite): Promise<void> {
  const { roomNid, roomId } = write.head
  if ((await engine.members.localMembers(roomNid)).size > 0) return
  throw notFound(`This server is not in the room ${roomId}; ask another one`)
}
