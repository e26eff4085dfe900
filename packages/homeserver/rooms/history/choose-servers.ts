import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { listRoomServers, type RoomServerRow } from '@causeway/store/tables/room-servers.ts'
import type { RoomEngine } from '../engine.ts'
import { findEventsByNid } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'

/** How many servers are asked for one gap, one after the other. */
const MAX_SERVERS = 6

/**
 * Servers likely to hold what came before an event of ours: the one that sent it, then those in the room, the longest
 * there first, then those that have left since.
 */
export async function chooseServers(
  engine: RoomEngine,
  room: RoomInfo,
  childNid: number,
): Promise<ServerName[]> {
  const child = (await findEventsByNid(engine, [childNid])).get(childNid)
  const rows = await listRoomServers(engine.db, room.roomNid)
  const there = rows.filter((row) => row.joined > 0 || row.until_nid > childNid).toSorted(likelier)
  const names = there.map((row) => row.server_name as ServerName)
  const sender = child === undefined ? [] : [serverNameOf(child.sender as UserId)]
  const all = new Set([...sender, ...names])
  all.delete(engine.serverName)
  return [...all].slice(0, MAX_SERVERS)
}

function likelier(a: RoomServerRow, b: RoomServerRow): number {
  const isGone = (row: RoomServerRow): number => (row.joined > 0 ? 0 : 1)
  return isGone(a) - isGone(b) || a.from_nid - b.from_nid || b.joined - a.joined
}
