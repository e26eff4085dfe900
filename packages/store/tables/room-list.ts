import type { Database, Row } from '../db/database.ts'

/** What the tables say of a room without its state. */
export interface RoomFigures extends Row {
  nid: number
  room_id: string
  room_version: string
  joined: number
  joined_local: number
  published: number
}

/** Which rooms: all, those in the public directory or not, those that nobody is in or somebody is. */
export interface RoomFilter {
  readonly published?: boolean | undefined
  readonly empty?: boolean | undefined
}

/** Every room, in no particular order; none that are being purged. Reads through the memberships. */
export function listRoomFigures(db: Database, { published, empty }: RoomFilter): Promise<RoomFigures[]> {
  const conditions = ["substr(r.room_id, 1, 1) = '!'"]
  if (published !== undefined) conditions.push(`p.room_nid IS ${published ? 'NOT NULL' : 'NULL'}`)
  if (empty !== undefined) conditions.push(`coalesce(m.joined, 0) ${empty ? '= 0' : '> 0'}`)
  return db.queryLarge<RoomFigures>(
    `SELECT r.nid, r.room_id, r.room_version,
       CAST(coalesce(m.joined, 0) AS BIGINT) AS joined, CAST(coalesce(m.joined_local, 0) AS BIGINT) AS joined_local,
       CASE WHEN p.room_nid IS NULL THEN 0 ELSE 1 END AS published
     FROM rooms r
     LEFT JOIN (SELECT room_nid, count(*) AS joined, sum(is_local) AS joined_local
       FROM memberships WHERE membership = 'join' GROUP BY room_nid) m ON m.room_nid = r.nid
     LEFT JOIN published_rooms p ON p.room_nid = r.nid
     WHERE ${conditions.join(' AND ')}`,
    [],
  )
}

/** How many pieces of state rooms have: each name that was ever set, none of which goes again. By number. */
export async function countStateKeys(
  db: Database,
  roomNids: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const rows = await db.queryLarge<{ room_nid: number; n: number }>(
    'SELECT room_nid, count(*) AS n FROM state_keys WHERE room_nid IN (?int[]) GROUP BY room_nid',
    [roomNids],
  )
  return new Map(rows.map((row) => [row.room_nid, Number(row.n)]))
}

/** What a room's own figures do not show: devices of ours in it, and whether one of ours remembers it. */
export async function readLocalTraces(
  db: Database,
  roomNid: number,
): Promise<{ readonly devices: number; readonly isForgotten: boolean }> {
  const [devices, remembered] = await Promise.all([
    db.queryLarge<{ n: number }>(
      `SELECT count(*) AS n FROM memberships m JOIN devices d ON d.user_id = m.user_id
       WHERE m.room_nid = ? AND m.membership = 'join' AND m.is_local = 1`,
      [roomNid],
    ),
    db.query(
      'SELECT 1 AS one FROM memberships WHERE room_nid = ? AND is_local = 1 AND forgotten = 0 LIMIT 1',
      [roomNid],
    ),
  ])
  return { devices: Number(devices[0]?.n ?? 0), isForgotten: remembered.length === 0 }
}
