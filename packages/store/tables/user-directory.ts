import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'
import type { MembershipRow } from './rooms.ts'

// What the user directory keeps of rooms and of names. Only its own lane writes here, beside purge and erasure.

const DIRECTORY_ROOMS: TableShape = {
  name: 'directory_rooms',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'is_live', type: 'int' },
    { name: 'is_public', type: 'int' },
    { name: 'walk', type: 'int' },
    { name: 'walked_to', type: 'text' },
  ],
  onConflict: { key: ['room_nid'], action: 'replace' },
}

const DIRECTORY_NAMES: TableShape = {
  name: 'directory_names',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'display_name', type: 'text' },
    { name: 'avatar_url', type: 'text' },
  ],
  onConflict: { key: ['nid'], action: 'replace' },
}

const DIRECTORY_SHOWN: TableShape = {
  name: 'directory_shown',
  columns: [
    { name: 'name_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
  ],
  onConflict: { key: ['name_nid', 'room_nid'], action: 'ignore' },
}

const DIRECTORY_WORDS: TableShape = {
  name: 'directory_words',
  columns: [
    { name: 'word', type: 'text' },
    { name: 'name_nid', type: 'int' },
  ],
  onConflict: { key: ['word', 'name_nid'], action: 'ignore' },
}

/** What is still to be looked at of a room: nothing; whom it shows; who is joined. */
export const Walk = { done: 0, shown: 1, joined: 2 } as const
export type Walk = (typeof Walk)[keyof typeof Walk]

export interface DirectoryRoomRow extends Row {
  room_nid: number
  is_live: number
  is_public: number
  walk: Walk
  walked_to: string
}

const ROOM_COLUMNS = 'room_nid, is_live, is_public, walk, walked_to'

export async function findDirectoryRooms(
  db: Database,
  roomNids: readonly number[],
): Promise<Map<number, DirectoryRoomRow>> {
  const rows = await db.query<DirectoryRoomRow>(
    `SELECT ${ROOM_COLUMNS} FROM directory_rooms WHERE room_nid IN (?int[])`,
    [roomNids],
  )
  return new Map(rows.map((row) => [row.room_nid, row]))
}

/** A room whose members are to be looked at, if there is any. */
export async function findRoomToWalk(db: Database): Promise<number | undefined> {
  const sql = 'SELECT room_nid FROM directory_rooms WHERE walk <> 0 ORDER BY room_nid LIMIT 1'
  return (await db.query<{ room_nid: number }>(sql, []))[0]?.room_nid
}

export async function countRoomsToWalk(db: Database): Promise<number> {
  const sql = 'SELECT count(*) AS n FROM directory_rooms WHERE walk <> 0'
  return Number((await db.query<{ n: number }>(sql, []))[0]!.n)
}

/** Rooms that are known here and nowhere else: they were purged. */
export async function listPurgedDirectoryRooms(db: Database): Promise<number[]> {
  const rows = await db.queryLarge<{ room_nid: number }>(
    `SELECT d.room_nid FROM directory_rooms d WHERE NOT EXISTS (
       SELECT 1 FROM rooms r WHERE r.nid = d.room_nid AND substr(r.room_id, 1, 1) = '!')`,
    [],
  )
  return rows.map((row) => row.room_nid)
}

/** The room was purged: whom it shows is to be taken off. */
export function walkPurgedRoom(roomNid: number): Statement {
  return {
    sql: "UPDATE directory_rooms SET is_live = 0, is_public = 0, walk = 1, walked_to = '' WHERE room_nid = ?",
    params: [roomNid],
  }
}

/** Nothing is left of a purged room; its number may be another room's by now, which then is not live yet. */
export function deletePurgedDirectoryRoom(roomNid: number): Statement {
  return {
    sql: `DELETE FROM directory_rooms WHERE room_nid = ? AND NOT EXISTS (
      SELECT 1 FROM rooms r WHERE r.nid = ? AND substr(r.room_id, 1, 1) = '!')`,
    params: [roomNid, roomNid],
  }
}

export function saveDirectoryRoom(row: DirectoryRoomRow): Step {
  return {
    into: DIRECTORY_ROOMS,
    values: [row.room_nid, row.is_live, row.is_public, row.walk, row.walked_to],
  }
}

/** Refuses the write for a room that is being purged: rows about it would outlive it. */
export function requireKnownRoom(roomNid: number): Statement {
  return {
    sql: "SELECT 1 AS one FROM rooms WHERE nid = ? AND substr(room_id, 1, 1) = '!'",
    params: [roomNid],
    expectRows: 1,
    returning: true,
  }
}

export interface DirectoryNameRow extends Row {
  nid: number
  user_id: string
  display_name: string
  avatar_url: string
}

/** The greatest number of a name. */
export async function findMaxNameNid(db: Database): Promise<number> {
  const rows = await db.query<{ n: number | null }>('SELECT max(nid) AS n FROM directory_names', [])
  return rows[0]?.n ?? 0
}

/** Every name of these users, in the order in which they came. */
export function listNamesOf(db: Database, userIds: readonly string[]): Promise<DirectoryNameRow[]> {
  return db.queryLarge<DirectoryNameRow>(
    'SELECT nid, user_id, display_name, avatar_url FROM directory_names WHERE user_id IN (?text[]) ORDER BY nid',
    [userIds],
  )
}

export interface ShownRow extends Row {
  name_nid: number
  room_nid: number
  user_id: string
}

/** Under which names these users are seen in these rooms. */
export function listShown(
  db: Database,
  userIds: readonly string[],
  roomNids: readonly number[],
): Promise<ShownRow[]> {
  return db.queryLarge<ShownRow>(
    `SELECT s.name_nid, s.room_nid, n.user_id FROM directory_names n
     JOIN directory_shown s ON s.name_nid = n.nid
     WHERE n.user_id IN (?text[]) AND s.room_nid IN (?int[])`,
    [userIds, roomNids],
  )
}

/** Users whom the directory shows in a room, by the number of their name, from behind `after`. */
export async function listShownUsers(
  db: Database,
  roomNid: number,
  after: number,
  limit: number,
): Promise<{ readonly userIds: readonly string[]; readonly last: number | undefined }> {
  const rows = await db.query<{ name_nid: number; user_id: string | null }>(
    `SELECT s.name_nid, n.user_id FROM directory_shown s LEFT JOIN directory_names n ON n.nid = s.name_nid
     WHERE s.room_nid = ? AND s.name_nid > ? ORDER BY s.name_nid LIMIT ?`,
    [roomNid, after, limit],
  )
  const userIds = rows.flatMap((row) => (row.user_id === null ? [] : [row.user_id]))
  return { userIds, last: rows.length < limit ? undefined : rows.at(-1)!.name_nid }
}

/** Users joined to a room, from behind `after`: those of other servers first. */
export function listJoined(
  db: Database,
  roomNid: number,
  after: { readonly isLocal: number; readonly userId: string },
  limit: number,
): Promise<{ user_id: string; is_local: number }[]> {
  return db.query(
    `SELECT user_id, is_local FROM memberships WHERE room_nid = ? AND membership = 'join'
     AND (is_local, user_id) > (?, ?) ORDER BY is_local, user_id LIMIT ?`,
    [roomNid, after.isLocal, after.userId, limit],
  )
}

/** The current joins of these users to these rooms. */
export function listJoins(
  db: Database,
  userIds: readonly string[],
  roomNids: readonly number[],
): Promise<Pick<MembershipRow, 'user_id' | 'room_nid' | 'event_nid'>[]> {
  return db.queryLarge(
    `SELECT user_id, room_nid, event_nid FROM memberships
     WHERE user_id IN (?text[]) AND room_nid IN (?int[]) AND membership = 'join'`,
    [userIds, roomNids],
  )
}

/** Puts a name, with the words that find it, in the place of what had its number. */
export function saveName(row: DirectoryNameRow, words: readonly string[]): Step[] {
  return [
    { sql: 'DELETE FROM directory_words WHERE name_nid = ?', params: [row.nid] },
    { into: DIRECTORY_NAMES, values: [row.nid, row.user_id, row.display_name, row.avatar_url] },
    ...words.map((word) => ({ into: DIRECTORY_WORDS, values: [word, row.nid] })),
  ]
}

export function showName(nameNid: number, roomNid: number): Step {
  return { into: DIRECTORY_SHOWN, values: [nameNid, roomNid] }
}

export function hideName(nameNid: number, roomNid: number): Statement {
  return {
    sql: 'DELETE FROM directory_shown WHERE name_nid = ? AND room_nid = ?',
    params: [nameNid, roomNid],
  }
}

const UNSEEN = 'NOT EXISTS (SELECT 1 FROM directory_shown s WHERE s.name_nid = n.nid)'

/** A user's names that no room shows any more go. */
export function dropUnseenNames(userId: string): Statement[] {
  return [
    {
      sql: `DELETE FROM directory_words WHERE name_nid IN
        (SELECT n.nid FROM directory_names n WHERE n.user_id = ? AND ${UNSEEN})`,
      params: [userId],
    },
    {
      sql: `DELETE FROM directory_names WHERE nid IN
        (SELECT n.nid FROM directory_names n WHERE n.user_id = ? AND ${UNSEEN})`,
      params: [userId],
    },
  ]
}

/** What hangs on a user's names goes; the names themselves go by the list of what is erased. */
export function eraseDirectoryWords(userId: string): Statement[] {
  return ['directory_words', 'directory_shown'].map((table) => ({
    sql: `DELETE FROM ${table} WHERE name_nid IN (SELECT nid FROM directory_names WHERE user_id = ?)`,
    params: [userId],
  }))
}
