import type { Database } from '@causeway/store/db/database.ts'
import type { ReadEntries } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import { markMovedReceipts } from '@causeway/store/tables/push-queue.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'
import type { Watchers } from './watchers.ts'

export interface ReadDeps {
  readonly db: Database
  readonly rooms: RoomEngine
  readonly watchers: Pick<Watchers, 'clear'>
}

/**
 * Events after a position, from the tables. Receipts of the whole stretch that memory does not hold are taken at its
 * beginning, by whoever has pushers: what they did to the counts is written down before the position moves on.
 */
export function readPushEntries({ db, rooms, watchers }: ReadDeps): ReadEntries {
  let receiptsUpTo = -1
  return async (after, upTo, limit) => {
    if (after >= receiptsUpTo) {
      await db.commit({ entries: [], steps: [markMovedReceipts(after, upTo)] })
      receiptsUpTo = upTo
      // Changes of pushers are not among what is read here.
      watchers.clear()
    }
    const rows = await listLogEventRows(db, after, upTo, limit)
    const entries: LogEntry[] = []
    for (const row of rows) {
      const event = storedEventOfRow(await getRoomByNid(rooms, row.room_nid), row)
      entries.push({ kind: 'event', position: row.nid, roomId: event.roomId, event })
    }
    return { entries, through: rows.length < limit ? upTo : rows.at(-1)!.nid }
  }
}
