import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { isServerInRoom } from '@causeway/store/tables/room-servers.ts'
import type { RoomEngine } from '../engine.ts'
import { findRoom } from '../load-head.ts'
import { hasInvitedMember } from '@causeway/store/tables/rooms.ts'
import type { RoomSummary } from './summary.ts'

type Access = Pick<RoomSummary, 'roomId' | 'joinRule' | 'worldReadable' | 'allowedRoomIds'>

/** Rooms that anybody may join, knock at, or read. */
export function isOpen({ joinRule, worldReadable }: Access): boolean {
  return worldReadable || joinRule === 'public' || joinRule === 'knock' || joinRule === 'knock_restricted'
}

/** Whether a user may be told of a room: it is open, they are in it or invited, or they are where its members come from. */
export async function isVisibleToUser(engine: RoomEngine, userId: UserId, room: Access): Promise<boolean> {
  if (isOpen(room)) return true
  const { byId, joined } = await engine.members.roomsOf(userId)
  const membership = byId.get(room.roomId)?.membership
  if (membership === 'join' || membership === 'invite') return true
  return room.allowedRoomIds.some((roomId) => joined.has(roomId))
}

/** The same for a server, by its users. */
export async function isVisibleToServer(
  engine: RoomEngine,
  server: ServerName,
  room: Access,
): Promise<boolean> {
  if (isOpen(room)) return true
  if (await isThere(engine, server, room.roomId)) return true
  const info = await findRoom(engine, room.roomId)
  if (info !== undefined && (await hasInvitedMember(engine.db, info.roomNid, server))) return true
  for (const roomId of room.allowedRoomIds.slice(0, 20))
    if (await isThere(engine, server, roomId)) return true
  return false
}

async function isThere(engine: RoomEngine, server: ServerName, roomId: RoomId): Promise<boolean> {
  const room = await findRoom(engine, roomId)
  return room !== undefined && isServerInRoom(engine.db, room.roomNid, server)
}
