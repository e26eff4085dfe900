import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import { isServerInRoom } from '@causeway/store/tables/room-servers.ts'
import type { RoomEngine } from '../engine.ts'
import { findRoom } from '../load-head.ts'
import { readNewestState } from '../newest-state.ts'
import type { RoomInfo } from '../stored-event.ts'

/**
 * The room, when a server may be told about it: it has users there, and the room's access control list lets it in.
 * Throws `M_FORBIDDEN`, also for rooms that we do not know: who may not look is not told.
 */
export async function requireServerInRoom(
  engine: RoomEngine,
  roomId: RoomId,
  server: ServerName,
): Promise<RoomInfo> {
  const room = await findRoom(engine, roomId)
  if (room === undefined || !(await isServerInRoom(engine.db, room.roomNid, server))) {
    throw forbidden('Your server is not in this room')
  }
  await requireAllowedByAcl(engine, room, server)
  return room
}

/** Throws `M_FORBIDDEN` for a server that the room's access control list keeps out. */
export async function requireAllowedByAcl(
  engine: RoomEngine,
  room: RoomInfo,
  server: ServerName,
): Promise<void> {
  const [acl] = await readNewestState(engine, room, [{ type: 'm.room.server_acl', stateKey: '' }])
  if (isServerAllowed(acl?.stored.content, server)) return
  throw forbidden("This room's access control list keeps your server out")
}
