import type { Database, Row, Statement } from '../db/database.ts'

/** The state trees that an event's row names. */
export interface StateRootsRow extends Row {
  nid: number
  state_nid: number
  flags: number
  state_root: number
  state_before: number
  /** 0: the same as `state_root`. */
  room_root: number
}

/** Of a room's events from a position on, in order, and of those of it that were refused at any time. */
export function listStateRoots(db: Database, roomNid: number, from: number): Promise<StateRootsRow[]> {
  return db.queryLarge<StateRootsRow>(
    `SELECT nid, state_nid, flags, state_root, state_before, room_root FROM events
     WHERE room_nid = ? AND (nid >= ? OR (nid < 0 AND (flags & 6) <> 0)) AND state_root <> 0 ORDER BY nid`,
    [roomNid, from],
  )
}

/** The event's state is named by other trees now. */
export function setStateRoots(
  nid: number,
  roots: { readonly root: number; readonly before: number; readonly roomRoot: number },
): Statement {
  return {
    sql: 'UPDATE events SET state_root = ?, state_before = ?, room_root = ? WHERE nid = ?',
    params: [roots.root, roots.before, roots.roomRoot, nid],
  }
}
