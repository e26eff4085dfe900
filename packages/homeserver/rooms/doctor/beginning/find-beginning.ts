import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findNewestFlagged } from '@causeway/store/tables/events.ts'
import { listRoomMemberships } from '@causeway/store/tables/rooms.ts'
import { readStateKeysAt } from '../../current-state.ts'
import type { RoomEngine } from '../../engine.ts'
import { roomEventOfRow, type RoomInfo } from '../../stored-event.ts'

/** Where what we know of a room begins: a join of ours, and the state before it as a resident server told it. */
export interface RoomBeginning {
  readonly join: RoomEvent
  /** Root of that state. */
  readonly root: number
}

/** The join by which we came into a room the last time that nobody of ours was there; undefined for a room of ours. */
export async function findBeginning(engine: RoomEngine, room: RoomInfo): Promise<RoomBeginning | undefined> {
  const row = await findNewestFlagged(engine.db, room.roomNid, TOLD)
  return row === undefined ? undefined : { join: roomEventOfRow(room, row), root: row.state_before }
}

/** What only such a join bears. */
const TOLD = EventFlag.handedOver | EventFlag.gapBefore

/** Servers that are looked at, those with the most users now, */
const MAX_SERVERS = 200
/** and users of each. */
const MAX_USERS = 5

/** Servers in the room of somebody who is in it now and was before our join, by our own account. */
export async function serversThenAndNow(
  engine: RoomEngine,
  room: RoomInfo,
  { root }: RoomBeginning,
): Promise<Set<ServerName>> {
  const rows = await listRoomMemberships(engine.db, room.roomNid)
  const joined = rows.filter((row) => row.membership === 'join' && row.is_local === 0)
  const byServer = Map.groupBy(joined, (row) => serverNameOf(row.user_id as UserId))
  const largest = [...byServer].toSorted(([, a], [, b]) => b.length - a.length).slice(0, MAX_SERVERS)
  const users = largest.flatMap(([, ofServer]) => ofServer.slice(0, MAX_USERS).map((row) => row.user_id))
  const names = users.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const then = await readStateKeysAt(engine, room, root, names)
  const present = users.filter((_, at) => then[at]?.stored.content['membership'] === 'join')
  return new Set(present.map((userId) => serverNameOf(userId as UserId)))
}
