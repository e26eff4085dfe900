import type { Database } from '../db/database.ts'

/** Numbers of all state keys of a room but its members': what a client that loads members lazily is told. */
export async function listNonMemberKeys(db: Database, roomNid: number): Promise<number[]> {
  const rows = await db.query<{ key_nid: number }>(
    `SELECT key_nid FROM state_keys WHERE room_nid = ? AND type < 'm.room.member'
     UNION ALL SELECT key_nid FROM state_keys WHERE room_nid = ? AND type > 'm.room.member'`,
    [roomNid, roomNid],
  )
  return rows.map((row) => row.key_nid)
}

/** Numbers of the state keys of a room's members, past ones too. */
export async function listMemberKeys(db: Database, roomNid: number): Promise<number[]> {
  const rows = await db.queryLarge<{ key_nid: number }>(
    `SELECT key_nid FROM state_keys WHERE room_nid = ? AND type = 'm.room.member'`,
    [roomNid],
  )
  return rows.map((row) => row.key_nid)
}
