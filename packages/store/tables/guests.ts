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
