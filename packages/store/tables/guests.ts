import type { Database } from '../db/database.ts'

/** Guests of ours in a room. */
export async function listGuestsIn(db: Database, roomNid: number): Promise<string[]> {
  const rows = await db.query<{ user_id: string }>(
    `SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
     WHERE m.room_nid = ? AND m.membership = 'join' AND m.is_local = 1 AND u.is_guest = 1 ORDER BY m.user_id`,
    [roomNid],
  )
  return rows.map((row) => row.user_id)
}

/** Rooms that guests are in. */
export async function listGuestRooms(db: Database): Promise<number[]> {
  const rows = await db.queryLarge<{ room_nid: number }>(
    `SELECT DISTINCT m.room_nid FROM users u JOIN memberships m ON m.user_id = u.user_id
     WHERE u.is_guest = 1 AND m.membership = 'join' ORDER BY m.room_nid`,
    [],
  )
  return rows.map((row) => row.room_nid)
}

/** Guests in use whose account was made, and whose devices were last used, before a time (wall clock, milliseconds). */
export async function listIdleGuests(db: Database, before: number, limit: number): Promise<string[]> {
  const rows = await db.query<{ user_id: string }>(
    `SELECT u.user_id FROM users u WHERE u.is_guest = 1 AND u.deactivated_ts = 0 AND u.created_ts < ?
     AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.user_id = u.user_id AND d.last_seen_ts >= ?)
     ORDER BY u.created_ts LIMIT ?`,
    [before, before, limit],
  )
  return rows.map((row) => row.user_id)
}
