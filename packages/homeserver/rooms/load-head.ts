import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { createKeyOverlay } from '@causeway/store/state/keys.ts'
import { createNodeOverlay } from '@causeway/store/state/node-source.ts'
import { findRoomIdByNid, findRoomRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from './engine.ts'
import { parseHead, type RoomHead } from './head.ts'
import type { RoomInfo } from './stored-event.ts'

/** The head of a room: from memory, or from its row. Undefined when we do not know the room. Only inside its queue. */
export async function findHead(engine: RoomEngine, roomId: RoomId): Promise<RoomHead | undefined> {
  const held = engine.heads.get(roomId) ?? engine.busyHeads.get(roomId)?.head
  if (held !== undefined && !held.lost) {
    // Weighed anew: it has grown by what was asked of it.
    engine.heads.set(roomId, held)
    return held
  }
  const row = await findRoomRow(engine.db, roomId)
  if (row === undefined) return undefined
  const head = parseHead(row, {
    nodes: createNodeOverlay(engine.nodes, row.nid),
    keys: createKeyOverlay(engine.keys, row.nid),
  })
  engine.heads.set(roomId, head)
  return head
}

/** A room's numbers and rules; undefined when we do not know it. No queue needed: they never change. */
export async function findRoom(engine: RoomEngine, roomId: RoomId): Promise<RoomInfo | undefined> {
  const held = engine.rooms.get(roomId)
  if (held !== undefined) return held
  const marks = { rooms: engine.rooms.mark(), roomsByNid: engine.roomsByNid.mark() }
  const row = await findRoomRow(engine.db, roomId)
  if (row === undefined) return undefined
  const rules = findRoomVersion(row.room_version)
  if (rules === undefined) throw new Error(`room ${roomId} has the unknown room version ${row.room_version}`)
  const room: RoomInfo = { roomId, roomNid: row.nid, rules }
  // It may have been purged since its row was read.
  engine.roomsByNid.fill(row.nid, room, marks.roomsByNid)
  return engine.rooms.fill(roomId, room, marks.rooms)
}

/** The same by number. Throws when there is no such room: numbers come from our own rows. */
export async function getRoomByNid(engine: RoomEngine, roomNid: number): Promise<RoomInfo> {
  const held = engine.roomsByNid.get(roomNid)
  if (held !== undefined) return held
  const roomId = await findRoomIdByNid(engine.db, roomNid)
  const room = roomId === undefined ? undefined : await findRoom(engine, roomId as RoomId)
  if (room === undefined) throw new Error(`room number ${roomNid} is missing`)
  return room
}
