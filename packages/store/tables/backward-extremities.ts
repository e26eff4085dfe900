import type { Database, Row, Statement, WriteValue } from '../db/database.ts'

/** An event that one of ours points at and that we do not hold as part of the graph. */
export interface BackwardExtremityRow extends Row {
  event_id: string
  child_nid: number
  child_depth: number
}

/** Notes a gap before an event; of several events that point at the same one the deepest is kept. */
export function noteBackwardExtremity(
  roomNid: number,
  eventId: string,
  child: { readonly nid: WriteValue; readonly depth: number },
): Statement {
  return {
    sql: `INSERT INTO backward_extremities (room_nid, event_id, child_nid, child_depth) VALUES (?, ?, ?, ?)
       ON CONFLICT (room_nid, event_id) DO UPDATE SET
         child_nid = excluded.child_nid, child_depth = excluded.child_depth
       WHERE excluded.child_depth > backward_extremities.child_depth`,
    params: [roomNid, eventId, child.nid, child.depth],
  }
}

/** The event has come. */
export function closeBackwardExtremity(roomNid: number, eventId: string): Statement {
  return {
    sql: 'DELETE FROM backward_extremities WHERE room_nid = ? AND event_id = ?',
    params: [roomNid, eventId],
  }
}

/** The gaps of a room whose newer side is at most this deep, the newest first. */
export function listBackwardExtremities(
  db: Database,
  roomNid: number,
  upToDepth: number,
  limit: number,
): Promise<BackwardExtremityRow[]> {
  return db.query<BackwardExtremityRow>(
    `SELECT event_id, child_nid, child_depth FROM backward_extremities
     WHERE room_nid = ? AND child_depth <= ? ORDER BY child_depth DESC, event_id LIMIT ?`,
    [roomNid, upToDepth, limit],
  )
}

/** How many gaps a room has. */
export async function countBackwardExtremities(db: Database, roomNid: number): Promise<number> {
  const sql = 'SELECT count(*) AS n FROM backward_extremities WHERE room_nid = ?'
  return Number((await db.query(sql, [roomNid]))[0]?.['n'] ?? 0)
}

/** Those of these events that are gaps of the room. */
export async function findBackwardExtremities(
  db: Database,
  roomNid: number,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, BackwardExtremityRow>> {
  if (eventIds.length === 0) return new Map()
  const rows = await db.query<BackwardExtremityRow>(
    `SELECT event_id, child_nid, child_depth FROM backward_extremities
     WHERE room_nid = ? AND event_id IN (?text[])`,
    [roomNid, eventIds],
  )
  return new Map(rows.map((row) => [row.event_id, row]))
}
