import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { ReadEntries } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listDeviceChangeUsers } from '@causeway/store/tables/device-changes.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { storedEventOfRow } from '../../rooms/stored-event.ts'

/**
 * Events and changes of devices after a position, from the tables. Of several changes of one user the last stands
 * for all. Receipts are best effort: only from the log in memory.
 */
export function readOutboundEntries(rooms: RoomEngine): ReadEntries {
  return async (after, upTo, limit) => {
    const rows = await listLogEventRows(rooms.db, after, upTo, limit)
    const through = rows.length < limit ? upTo : rows.at(-1)!.nid
    const entries: LogEntry[] = []
    for (const row of rows) {
      const event = storedEventOfRow(await getRoomByNid(rooms, row.room_nid), row)
      entries.push({ kind: 'event', position: row.nid, roomId: event.roomId, event })
    }
    for (const { user_id: userId, position } of await listDeviceChangeUsers(rooms.db, after, through)) {
      entries.push({ kind: 'device_list', position, userId: userId as UserId })
    }
    return { entries: entries.sort((a, b) => a.position - b.position), through }
  }
}
