import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { ReadEntries } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import { listRoomsWhole } from '@causeway/store/tables/partial-rooms.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'

/** That the members of a room are to be looked at, all of them. */
function whole(position: number, roomId: RoomId, roomNid: number): LogEntry {
  const nothing = { memberChanges: [], missedServers: [] }
  return { kind: 'room_whole', position, roomId, roomNid, ...nothing }
}

/**
 * Events after a position, from the tables, and rooms whose members have all come. Where branches of a room met,
 * the tables do not tell what that made of its members: such a room is looked at as a whole.
 */
export function readDirectoryEntries(rooms: RoomEngine): ReadEntries {
  return async (after, upTo, limit) => {
    const rows = await listLogEventRows(rooms.db, after, upTo, limit)
    const through = rows.length < limit ? upTo : rows.at(-1)!.nid
    const entries: LogEntry[] = []
    for (const row of rows) {
      const event = storedEventOfRow(await getRoomByNid(rooms, row.room_nid), row)
      entries.push({ kind: 'event', position: row.nid, roomId: event.roomId, event })
      if (event.roomRoot !== event.stateRoot) entries.push(whole(row.nid, event.roomId, row.room_nid))
    }
    for (const { roomNid, roomId, position } of await listRoomsWhole(rooms.db, after, through)) {
      entries.push(whole(position, roomId as RoomId, roomNid))
    }
    return { entries: entries.sort((a, b) => a.position - b.position), through }
  }
}
