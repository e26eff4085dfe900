import type { Database, Statement, TableShape } from '../db/database.ts'

/** What another server told of a room, for a user of ours that it invited or that knocked. */
export const STRIPPED_STATES: TableShape = {
  name: 'stripped_states',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'state', type: 'text' },
  ],
  onConflict: { key: ['room_nid', 'user_id'], action: 'replace' },
}

/** The JSON array of stripped events, or undefined. */
export async function findStrippedState(
  db: Database,
  roomNid: number,
  userId: string,
): Promise<string | undefined> {
  const rows = await db.query<{ state: string }>(
    'SELECT state FROM stripped_states WHERE room_nid = ? AND user_id = ?',
    [roomNid, userId],
  )
  return rows[0]?.state
}

/** The user is in the room, or out of it for good: what others told of it is not needed any more. */
export function deleteStrippedState(roomNid: number, userId: string): Statement {
  return {
    sql: 'DELETE FROM stripped_states WHERE room_nid = ? AND user_id = ?',
    params: [roomNid, userId],
  }
}
