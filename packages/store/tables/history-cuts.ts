import type { Database, Row, Statement } from '../db/database.ts'
import type { EventRow, GraphPlace } from './events.ts'

/** How deep in a room's graph its history was cut off; undefined where nothing was. */
export async function findHistoryCut(db: Database, roomNid: number): Promise<number | undefined> {
  const rows = await db.query<{ depth: number }>('SELECT depth FROM history_cuts WHERE room_nid = ?', [
    roomNid,
  ])
  return rows[0]?.depth
}

/** History is cut off down to this depth, or deeper where it was already; what lacked there is not looked for any more. */
export function raiseHistoryCut(roomNid: number, depth: number): Statement[] {
  return [
    {
      sql: `INSERT INTO history_cuts (room_nid, depth) VALUES (?, ?)
         ON CONFLICT (room_nid) DO UPDATE SET depth = excluded.depth WHERE excluded.depth > history_cuts.depth`,
      params: [roomNid, depth],
    },
    {
      sql: 'DELETE FROM backward_extremities WHERE room_nid = ? AND child_depth <= ?',
      params: [roomNid, depth],
    },
  ]
}

const COLUMNS = `nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, room_root,
  UTF8(json) AS json`

/** Outlier: held beside the graph. */
const OUTLIER = 1

/**
 * Messages of a room, everything that is not state, refused ones too, in the order of its graph: behind one place and
 * before another. Walks the state events in between without reading them.
 */
export function listMessageRows(
  db: Database,
  roomNid: number,
  { after, before, limit }: { after: GraphPlace; before: GraphPlace; limit: number },
): Promise<EventRow[]> {
  return db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND (depth, nid) > (CAST(? AS BIGINT), ?) AND (depth, nid) < (CAST(? AS BIGINT), ?)
       AND state_nid < 1 AND (flags & ${OUTLIER}) < 1
     ORDER BY depth, nid LIMIT ?`,
    [roomNid, after.depth, after.nid, before.depth, before.nid, limit],
  )
}

/** Not in its redacted form. */
const OUTLIER_OR_REDACTED = 9

/** The same by the order in which they came, those that have lost their content left out: behind one number and up to another. */
export function listArrivedRows(
  db: Database,
  roomNid: number,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<EventRow[]> {
  return db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND nid > ? AND nid <= ?
       AND state_nid < 1 AND (flags & ${OUTLIER_OR_REDACTED}) < 1
     ORDER BY nid LIMIT ?`,
    [roomNid, after, upTo, limit],
  )
}

export interface KeptRoomRow extends Row {
  nid: number
  room_id: string
}

/** Rooms behind a number, but those under purge. @param stateType only those that have, or once had, state of this type */
export function listRoomsBehind(
  db: Database,
  after: number,
  stateType: string | undefined,
  limit: number,
): Promise<KeptRoomRow[]> {
  const having =
    stateType === undefined
      ? ''
      : "AND EXISTS (SELECT 1 FROM state_keys k WHERE k.room_nid = r.nid AND k.type = ? AND k.state_key = '')"
  return db.queryLarge<KeptRoomRow>(
    `SELECT r.nid, r.room_id FROM rooms r WHERE r.nid > ? AND substr(r.room_id, 1, 1) = '!' ${having}
     ORDER BY r.nid LIMIT ?`,
    [after, ...(stateType === undefined ? [] : [stateType]), limit],
  )
}
