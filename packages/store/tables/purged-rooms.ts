import type { Database, Statement } from '../db/database.ts'

/** Refuses the write when a user of ours is joined to the room. */
export function requireNobodyLocal(roomNid: number): Statement {
  return {
    sql: "SELECT 1 AS one FROM memberships WHERE room_nid = ? AND membership = 'join' AND is_local = 1 LIMIT 1",
    params: [roomNid],
    expectRows: 0,
    returning: true,
  }
}

/**
 * Takes the room's id away from its row: no room id begins like this, so that nobody finds it, and a room of the
 * same id can be made anew. The row itself keeps the number from being used again.
 * Refused (`precondition`) when the room was written to since `version`.
 */
export function renameForPurge(roomNid: number, version: number): Statement {
  return {
    sql: 'UPDATE rooms SET room_id = ?, version = version + 1 WHERE nid = ? AND version = ?',
    params: [`purged:${roomNid}`, roomNid, version],
    expectRows: 1,
  }
}

/** Refuses the write unless the number is that of a room under purge: rows of another room must never go. */
export function requirePurged(roomNid: number): Statement {
  return {
    sql: 'SELECT 1 AS one FROM rooms WHERE nid = ? AND room_id = ?',
    params: [roomNid, `purged:${roomNid}`],
    expectRows: 1,
    returning: true,
  }
}

/** The end of a purge: from now on the number may be used again. */
export function deletePurgedRoom(roomNid: number): Statement {
  return { sql: 'DELETE FROM rooms WHERE nid = ? AND room_id = ?', params: [roomNid, `purged:${roomNid}`] }
}

/** Rooms that a user has or had a membership in, by number from `from` on; none that are being purged. */
export async function listRoomNidsOfUser(
  db: Database,
  userId: string,
  from: number,
  limit: number,
): Promise<number[]> {
  const rows = await db.query<{ room_nid: number }>(
    `SELECT m.room_nid FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.room_nid >= ? AND substr(r.room_id, 1, 1) = '!' ORDER BY m.room_nid LIMIT ?`,
    [userId, from, limit],
  )
  return rows.map((row) => row.room_nid)
}
