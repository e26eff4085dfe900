import type { Database, Row, Step, TableShape } from '../db/database.ts'

const ACCOUNT_DATA: TableShape = {
  name: 'account_data',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'type', type: 'text' },
    { name: 'content', type: 'text' },
    { name: 'position', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'room_nid', 'type'], action: 'replace' },
}

/** `room_nid` of what belongs to no room. */
export const GLOBAL = 0

export interface AccountDataRow extends Row {
  room_nid: number
  type: string
  /** JSON text. */
  content: string
  position: number
}

const COLUMNS = 'room_nid, type, content, position'

/** One piece of account data, or undefined. @param roomNid `GLOBAL`, or a room's number */
export async function findAccountData(
  db: Database,
  userId: string,
  roomNid: number,
  type: string,
): Promise<AccountDataRow | undefined> {
  const rows = await db.query<AccountDataRow>(
    `SELECT ${COLUMNS} FROM account_data WHERE user_id = ? AND room_nid = ? AND type = ?`,
    [userId, roomNid, type],
  )
  return rows[0]
}

/** All that was set in (after, upTo] of the log, global and of every room. */
export function listAccountData(
  db: Database,
  userId: string,
  after: number,
  upTo: number,
): Promise<AccountDataRow[]> {
  return db.queryLarge<AccountDataRow>(
    `SELECT ${COLUMNS} FROM account_data WHERE user_id = ? AND position > ? AND position <= ?`,
    [userId, after, upTo],
  )
}

/** All that a user has set, with the id of its room, which is null for global account data. */
export function listAllAccountData(
  db: Database,
  userId: string,
): Promise<(Row & { type: string; content: string; room_id: string | null })[]> {
  return db.queryLarge(
    `SELECT a.type, a.content, r.room_id FROM account_data a
     LEFT JOIN rooms r ON r.nid = a.room_nid AND substr(r.room_id, 1, 1) = '!'
     WHERE a.user_id = ? AND (a.room_nid = ${GLOBAL} OR r.room_id IS NOT NULL) ORDER BY a.room_nid, a.type`,
    [userId],
  )
}

/** Everything of certain rooms. */
export function listAccountDataOfRooms(
  db: Database,
  userId: string,
  roomNids: readonly number[],
): Promise<AccountDataRow[]> {
  return db.query<AccountDataRow>(
    `SELECT ${COLUMNS} FROM account_data WHERE user_id = ? AND room_nid IN (?int[])`,
    [userId, roomNids],
  )
}

/** What a user has said of their rooms: which are direct chats (global `m.direct`), and the tags of each. */
export function listRoomMarks(db: Database, userId: string): Promise<AccountDataRow[]> {
  return db.queryLarge<AccountDataRow>(
    `SELECT ${COLUMNS} FROM account_data
     WHERE user_id = ? AND ((room_nid = ${GLOBAL} AND type = 'm.direct') OR (room_nid <> ${GLOBAL} AND type = 'm.tag'))
     ORDER BY room_nid`,
    [userId],
  )
}

/** Sets one piece. @param entry index of its log entry in the write */
export function setAccountData(
  userId: string,
  roomNid: number,
  type: string,
  content: string,
  entry: number,
): Step {
  return { into: ACCOUNT_DATA, values: [userId, roomNid, type, content, { position: entry }] }
}

/**
 * The same, refused unless it is still as it was read.
 * @param before position at which it was read; undefined when there was none
 */
export function changeAccountData(
  { userId, roomNid, type }: { userId: string; roomNid: number; type: string },
  content: string,
  entry: number,
  before: number | undefined,
): Step {
  if (before === undefined) {
    const { onConflict: _, ...into } = ACCOUNT_DATA
    return { into, values: [userId, roomNid, type, content, { position: entry }] }
  }
  return {
    sql: `UPDATE account_data SET content = ?, position = ?
          WHERE user_id = ? AND room_nid = ? AND type = ? AND position = ?`,
    params: [content, { position: entry }, userId, roomNid, type, before],
    expectRows: 1,
  }
}
