import { EventFlag } from '../log/entry.ts'
import type { Database } from '../db/database.ts'
import type { EventRow } from './events.ts'

/** An event that a room has refused, and why. */
export interface RefusedRow extends EventRow {
  reason: string
}

const COLUMNS =
  'e.nid, e.event_id, e.room_nid, e.depth, e.state_root, e.state_before, e.flags, e.state_nid, e.room_root, UTF8(e.json) AS json, r.reason'

/**
 * Rejected and soft-failed events of a room, the one refused last first.
 * @param after the number of the last one of the page before; undefined for the first page
 * @param flags those that have one of these bits; default: both kinds
 */
export function listRefusedRows(
  db: Database,
  roomNid: number,
  page: { readonly after?: number | undefined; readonly limit: number },
  flags: number = EventFlag.rejected | EventFlag.softFailed,
): Promise<RefusedRow[]> {
  return db.query<RefusedRow>(
    `SELECT ${COLUMNS} FROM event_rejections r JOIN events e ON e.nid = r.event_nid
     WHERE r.room_nid = ? AND r.event_nid > ? AND (e.flags & ?) <> 0 ORDER BY r.event_nid LIMIT ?`,
    [roomNid, page.after ?? Number.MIN_SAFE_INTEGER, flags, page.limit],
  )
}
