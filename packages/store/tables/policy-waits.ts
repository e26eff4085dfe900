import type { Database, Row, Statement, TableShape } from '../db/database.ts'

/** An event that is soft-failed since its room's policy server could not be asked about it. */
export interface PolicyWaitRow extends Row {
  room_nid: number
  event_id: string
  since_ts: number
}

export const POLICY_WAITS: TableShape = {
  name: 'policy_waits',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'event_id', type: 'text' },
    { name: 'since_ts', type: 'int' },
  ],
  onConflict: { key: ['room_nid', 'event_id'], action: 'ignore' },
}

/** Those of a room that wait longest. */
export function listPolicyWaits(db: Database, roomNid: number, limit: number): Promise<PolicyWaitRow[]> {
  return db.query<PolicyWaitRow>(
    'SELECT room_nid, event_id, since_ts FROM policy_waits WHERE room_nid = ? ORDER BY since_ts, event_id LIMIT ?',
    [roomNid, limit],
  )
}

/** Rooms with events that wait: what is taken up again after a start. */
export async function listPolicyWaitRooms(db: Database): Promise<string[]> {
  // Mostly nothing does, and a large read would start a thread of its own only to find that out.
  if ((await db.query('SELECT 1 AS one FROM policy_waits LIMIT 1', [])).length === 0) return []
  const rows = await db.queryLarge<{ room_id: string }>(
    'SELECT room_id FROM rooms WHERE nid IN (SELECT room_nid FROM policy_waits)',
    [],
  )
  return rows.map((row) => row.room_id)
}

/** It was answered, or is given up. */
export function deletePolicyWait(roomNid: number, eventId: string): Statement {
  return { sql: 'DELETE FROM policy_waits WHERE room_nid = ? AND event_id = ?', params: [roomNid, eventId] }
}
