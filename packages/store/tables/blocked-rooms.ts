import type { Database, Statement, Step, TableShape } from '../db/database.ts'

const BLOCKED_ROOMS: TableShape = {
  name: 'blocked_rooms',
  columns: [
    { name: 'room_id', type: 'text' },
    { name: 'blocked_by', type: 'text' },
    { name: 'blocked_ts', type: 'int' },
  ],
  onConflict: { key: ['room_id'], action: 'ignore' },
}

/** Who blocked a room; undefined for one that is not blocked. */
export async function findRoomBlock(db: Database, roomId: string): Promise<string | undefined> {
  const sql = 'SELECT blocked_by FROM blocked_rooms WHERE room_id = ?'
  return (await db.query<{ blocked_by: string }>(sql, [roomId]))[0]?.blocked_by
}

/** One that is blocked stays as it is. */
export function blockRoom(roomId: string, by: string, now: number): Step {
  return { into: BLOCKED_ROOMS, values: [roomId, by, now] }
}

export function unblockRoom(roomId: string): Statement {
  return { sql: 'DELETE FROM blocked_rooms WHERE room_id = ?', params: [roomId] }
}
