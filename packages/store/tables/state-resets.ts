import type { Database, Row, Step, TableShape } from '../db/database.ts'

/** A resolution that gave what no branch of a room had. */
export interface StateResetRow extends Row {
  root: number
  at_ts: number
  /** JSON, as it was noted. */
  reset_keys: string
}

const STATE_RESETS: TableShape = {
  name: 'state_resets',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'root', type: 'int' },
    { name: 'at_ts', type: 'int' },
    { name: 'reset_keys', type: 'text' },
  ],
  onConflict: { key: ['room_nid', 'root'], action: 'ignore' },
}

/** Resolutions that are kept of each room. */
const KEPT = 20

/** Notes one, and lets go of those that are too many. */
export function noteStateReset(
  roomNid: number,
  reset: { readonly root: number; readonly ts: number; readonly keys: string },
): Step[] {
  return [
    { into: STATE_RESETS, values: [roomNid, reset.root, reset.ts, reset.keys] },
    {
      sql: `DELETE FROM state_resets WHERE room_nid = ? AND root NOT IN
         (SELECT root FROM state_resets WHERE room_nid = ? ORDER BY at_ts DESC, root DESC LIMIT ${KEPT})`,
      params: [roomNid, roomNid],
    },
  ]
}

/** The newest first. */
export function listStateResets(db: Database, roomNid: number): Promise<StateResetRow[]> {
  return db.query<StateResetRow>(
    'SELECT root, at_ts, reset_keys FROM state_resets WHERE room_nid = ? ORDER BY at_ts DESC, root DESC',
    [roomNid],
  )
}
