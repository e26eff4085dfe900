import type { Database, Row, TableShape } from '../db/database.ts'

export interface RoomRow extends Row {
  nid: number
  room_id: string
  room_version: string
  version: number
  head: string
}

export interface MembershipRow extends Row {
  user_id: string
  room_nid: number
  membership: string
  event_nid: number
  is_local: number
  forgotten: number
}

export const ROOMS: TableShape = {
  name: 'rooms',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'room_id', type: 'text' },
    { name: 'room_version', type: 'text' },
    { name: 'version', type: 'int' },
    { name: 'head', type: 'text' },
  ],
}

export const MEMBERSHIPS: TableShape = {
  name: 'memberships',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'membership', type: 'text' },
    { name: 'event_nid', type: 'int' },
    { name: 'is_local', type: 'int' },
    { name: 'forgotten', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'room_nid'], action: 'replace' },
}

export async function findRoomRow(db: Database, roomId: string): Promise<RoomRow | undefined> {
  const rows = await db.query<RoomRow>(
    'SELECT nid, room_id, room_version, version, head FROM rooms WHERE room_id = ?',
    [roomId],
  )
  return rows[0]
}

export async function findRoomIdByNid(db: Database, nid: number): Promise<string | undefined> {
  const rows = await db.query<{ room_id: string }>('SELECT room_id FROM rooms WHERE nid = ?', [nid])
  return rows[0]?.room_id
}

/** Every membership of a user, current ones and past, but in rooms that are being purged. */
export function listMembershipsOfUser(
  db: Database,
  userId: string,
): Promise<(MembershipRow & { room_id: string })[]> {
  return db.query(
    `SELECT m.user_id, m.room_nid, m.membership, m.event_nid, m.is_local, m.forgotten, r.room_id
     FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND substr(r.room_id, 1, 1) = '!'`,
    [userId],
  )
}

/** A room, if any, that `joinedId` is in and that `userId` has or had anything to do with. */
export async function findRoomOfBoth(
  db: Database,
  userId: string,
  joinedId: string,
): Promise<string | undefined> {
  const rows = await db.query<{ room_id: string }>(
    `SELECT r.room_id FROM memberships m
     JOIN memberships j ON j.user_id = ? AND j.room_nid = m.room_nid AND j.membership = 'join'
     JOIN rooms r ON r.nid = m.room_nid AND substr(r.room_id, 1, 1) = '!'
     WHERE m.user_id = ? ORDER BY m.room_nid LIMIT 1`,
    [joinedId, userId],
  )
  return rows[0]?.room_id
}

/** Users of ours with a membership in a room. */
export async function listLocalMembers(db: Database, roomNid: number, membership: string): Promise<string[]> {
  const rows = await db.queryLarge<{ user_id: string }>(
    'SELECT user_id FROM memberships WHERE room_nid = ? AND membership = ? AND is_local = 1',
    [roomNid, membership],
  )
  return rows.map((row) => row.user_id)
}

export async function countMembers(db: Database, roomNid: number, membership: string): Promise<number> {
  const rows = await db.query<{ n: number }>(
    'SELECT count(*) AS n FROM memberships WHERE room_nid = ? AND membership = ?',
    [roomNid, membership],
  )
  return rows[0]?.n ?? 0
}

/** The highest room number in use; rooms are numbered by the process that makes them. */
export async function findMaxRoomNid(db: Database): Promise<number> {
  const rows = await db.query<{ n: number | null }>('SELECT max(nid) AS n FROM rooms', [])
  return rows[0]?.n ?? 0
}

/** The first few members of a room by arrival, without the reader. */
export async function listHeroes(
  db: Database,
  roomNid: number,
  exceptUserId: string,
  memberships: readonly string[],
  limit: number,
): Promise<string[]> {
  const rows = await db.query<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN (?text[]) AND user_id <> ?
     ORDER BY event_nid LIMIT ?`,
    [roomNid, memberships, exceptUserId, limit],
  )
  return rows.map((row) => row.user_id)
}

/** Whether a user of another server is invited to a room. */
export async function hasInvitedMember(db: Database, roomNid: number, serverName: string): Promise<boolean> {
  const rows = await db.query(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership = 'invite' AND is_local = 0
     AND user_id LIKE ? LIMIT 1`,
    [roomNid, `%:${serverName}`],
  )
  return rows.length > 0
}

/** Everybody's membership of a room as it was last told. */
export function listRoomMemberships(db: Database, roomNid: number): Promise<MembershipRow[]> {
  return db.queryLarge<MembershipRow>(
    'SELECT user_id, room_nid, membership, event_nid, is_local, forgotten FROM memberships WHERE room_nid = ?',
    [roomNid],
  )
}
