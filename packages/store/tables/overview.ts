import type { Database, Row } from '../db/database.ts'

// What an operator looks at: lists and sums that no client asks for. Off the calling thread.

export interface RoomOverviewRow extends Row {
  nid: number
  room_id: string
  room_version: string
  joined: number
  joined_local: number
}

/** Rooms in the order of their numbers, from behind one; none that are being purged. */
export function listRoomOverviews(db: Database, after: number, limit: number): Promise<RoomOverviewRow[]> {
  return db.queryLarge<RoomOverviewRow>(
    `SELECT r.nid, r.room_id, r.room_version,
       (SELECT count(*) FROM memberships m WHERE m.room_nid = r.nid AND m.membership = 'join') AS joined,
       (SELECT count(*) FROM memberships m
        WHERE m.room_nid = r.nid AND m.membership = 'join' AND m.is_local = 1) AS joined_local
     FROM rooms r WHERE r.nid > ? AND substr(r.room_id, 1, 1) = '!' ORDER BY r.nid LIMIT ?`,
    [after, limit],
  )
}

export interface MemberRow extends Row {
  user_id: string
  membership: string
  is_local: number
}

/** Members of a room with one membership, in the order of their ids, from behind one. */
export function listMembers(
  db: Database,
  roomNid: number,
  membership: string,
  after: string,
  limit: number,
): Promise<MemberRow[]> {
  return db.queryLarge<MemberRow>(
    `SELECT user_id, membership, is_local FROM memberships
     WHERE room_nid = ? AND membership = ? AND user_id > ? ORDER BY user_id LIMIT ?`,
    [roomNid, membership, after, limit],
  )
}

/** How many events a room has, those included that are never shown. Counts them. */
export async function countEventsOfRoom(db: Database, roomNid: number): Promise<number> {
  const sql = 'SELECT count(*) AS n FROM events WHERE room_nid = ?'
  return Number((await db.queryLarge(sql, [roomNid]))[0]?.['n'])
}

/** Rooms in which a user has each membership. */
export async function countRoomsOfUser(db: Database, userId: string): Promise<Map<string, number>> {
  const rows = await db.queryLarge<{ membership: string; n: number }>(
    'SELECT membership, count(*) AS n FROM memberships WHERE user_id = ? GROUP BY membership ORDER BY membership',
    [userId],
  )
  return new Map(rows.map((row) => [row.membership, Number(row.n)]))
}

export interface Totals {
  readonly accounts: number
  readonly deactivated: number
  readonly devices: number
  readonly rooms: number
  readonly uploads: number
  /** Of what was uploaded; equal uploads are stored once. */
  readonly uploadedBytes: number
  readonly openJobs: number
  /** Of the database on disk. */
  readonly databaseBytes: number
}

const DATABASE_SIZE = {
  sqlite: 'SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()',
  postgres: 'SELECT pg_database_size(current_database()) AS n',
} as const

/** Counts accounts, devices, rooms and uploads: reads through their tables. */
export async function readTotals(db: Database): Promise<Totals> {
  const one = async (sql: string): Promise<number> => Number((await db.queryLarge(sql, []))[0]?.['n'] ?? 0)
  return {
    accounts: await one('SELECT count(*) AS n FROM users WHERE deactivated_ts = 0'),
    deactivated: await one('SELECT count(*) AS n FROM users WHERE deactivated_ts > 0'),
    devices: await one('SELECT count(*) AS n FROM devices'),
    rooms: await one("SELECT count(*) AS n FROM rooms WHERE substr(room_id, 1, 1) = '!'"),
    uploads: await one("SELECT count(*) AS n FROM media WHERE hash <> ''"),
    uploadedBytes: await one('SELECT CAST(coalesce(sum(size), 0) AS BIGINT) AS n FROM media'),
    openJobs: await one('SELECT count(*) AS n FROM jobs WHERE finished_ts = 0'),
    databaseBytes: await one(DATABASE_SIZE[db.dialect]),
  }
}

/** Rows of a room that are measured, in place of all of them. */
const SAMPLE = 500

/** A room's rows in a table: how many, and about how many bytes. */
async function measureRows(
  db: Database,
  roomNid: number,
  { table, content, order }: { readonly table: string; readonly content: string; readonly order: string },
): Promise<number> {
  const [all] = await db.queryLarge<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE room_nid = ?`, [
    roomNid,
  ])
  const [sample] = await db.queryLarge<{ n: number; bytes: number }>(
    `SELECT count(*) AS n, CAST(coalesce(sum(size), 0) AS BIGINT) AS bytes FROM
       (SELECT length(${content}) AS size FROM ${table} WHERE room_nid = ? ORDER BY ${order} DESC LIMIT ?) AS newest`,
    [roomNid, SAMPLE],
  )
  return Math.round((Number(all!.n) * Number(sample!.bytes)) / Math.max(1, Number(sample!.n)))
}

/**
 * The rooms with the most events, and about how many bytes their events and their state take: by the newest of them, as if
 * all were like these. Counts the events of all rooms, by an index.
 */
export async function listLargestRooms(
  db: Database,
  limit: number,
): Promise<{ readonly roomId: string; readonly bytes: number }[]> {
  const rooms = await db.queryLarge<{ nid: number; room_id: string }>(
    `SELECT r.nid, r.room_id FROM rooms r JOIN (SELECT room_nid, count(*) AS n FROM events GROUP BY room_nid) e
     ON e.room_nid = r.nid WHERE substr(r.room_id, 1, 1) = '!' ORDER BY e.n DESC, r.nid LIMIT ?`,
    [limit],
  )
  const sizes: { roomId: string; bytes: number }[] = []
  for (const { nid, room_id: roomId } of rooms) {
    const events = await measureRows(db, nid, { table: 'events', content: 'json', order: 'nid' })
    const state = await measureRows(db, nid, { table: 'state_nodes', content: 'data', order: 'node_nid' })
    sizes.push({ roomId, bytes: events + state })
  }
  return sizes.toSorted((a, b) => b.bytes - a.bytes)
}
