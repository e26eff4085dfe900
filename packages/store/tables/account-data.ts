import type { Database, Row, Step, TableShape, WriteValue } from '../db/database.ts'

const ACCOUNT_DATA: TableShape = {
  name: 'account_data',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'type', type: 'text' },
    { name: 'content', type: 'text' },
    { name: 'position', type: 'int' },
    { name: 'removed_ts', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'room_nid', 'type'], action: 'replace' },
}

/** `room_nid` of what belongs to no room. */
export const GLOBAL = 0

/**
 * Content of a piece that was removed: clients are told so by it, and it is kept until they have heard of it. To set it is
 * to remove. https://github.com/matrix-org/matrix-spec-proposals/pull/3391
 */
export const REMOVED = '{}'

export interface AccountDataRow extends Row {
  room_nid: number
  type: string
  /** JSON text; `REMOVED`: it is there no more. */
  content: string
  position: number
}

const COLUMNS = 'room_nid, type, content, position'

/** One piece of account data, or undefined; what was removed is found for a while. @param roomNid `GLOBAL`, or a room's number */
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

/** All that was set or removed in (after, upTo] of the log, global and of every room. */
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
     WHERE a.user_id = ? AND a.content <> '${REMOVED}' AND (a.room_nid = ${GLOBAL} OR r.room_id IS NOT NULL) ORDER BY a.room_nid, a.type`,
    [userId],
  )
}

/** Everything of certain rooms, and what was removed of them lately. */
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

/** Which of some pieces there are, of those that belong to no room. */
export async function listPresentTypes(
  db: Database,
  userId: string,
  types: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ type: string }>(
    `SELECT type FROM account_data
     WHERE user_id = ? AND room_nid = ${GLOBAL} AND type IN (?text[]) AND content <> '${REMOVED}' ORDER BY type`,
    [userId, types],
  )
  return rows.map(({ type }) => type)
}

/** Where a piece of account data is stored. */
export interface AccountDataKey {
  readonly userId: string
  /** `GLOBAL`, or a room's number. */
  readonly roomNid: number
  readonly type: string
}

/** What a piece becomes. */
export interface AccountDataValue {
  /** JSON text. */
  readonly content: string
  /** Index of its log entry in the write. */
  readonly entry: number
  /** The time, from which on a piece with the content `REMOVED` is kept for a while. */
  readonly now: number
}

/** Sets one piece, or removes it. */
export function setAccountData(key: AccountDataKey, value: AccountDataValue): Step {
  return { into: ACCOUNT_DATA, values: valuesOf(key, value) }
}

/**
 * The same, refused unless it is still as it was read.
 * @param before position at which it was read; undefined when there was none
 */
export function changeAccountData(
  key: AccountDataKey,
  value: AccountDataValue,
  before: number | undefined,
): Step {
  if (before === undefined) {
    const { onConflict: _, ...into } = ACCOUNT_DATA
    return { into, values: valuesOf(key, value) }
  }
  return {
    sql: `UPDATE account_data SET content = ?, position = ?, removed_ts = ?
          WHERE user_id = ? AND room_nid = ? AND type = ? AND position = ?`,
    params: [
      value.content,
      { position: value.entry },
      removedTs(value),
      key.userId,
      key.roomNid,
      key.type,
      before,
    ],
    expectRows: 1,
  }
}

function valuesOf({ userId, roomNid, type }: AccountDataKey, value: AccountDataValue): WriteValue[] {
  return [userId, roomNid, type, value.content, { position: value.entry }, removedTs(value)]
}

function removedTs({ content, now }: AccountDataValue): number {
  return content === REMOVED ? now : 0
}

/** Forgets up to `limit` pieces that were removed before a time; answers how many. */
export async function forgetRemovedBefore(db: Database, before: number, limit: number): Promise<number> {
  const result = await db.commit({
    entries: [],
    steps: [
      {
        sql: `DELETE FROM account_data WHERE (user_id, room_nid, type) IN
          (SELECT user_id, room_nid, type FROM account_data WHERE removed_ts > 0 AND removed_ts < ?
           ORDER BY removed_ts LIMIT ?)
          RETURNING 1 AS one`,
        params: [before, limit],
        returning: true,
      },
    ],
  })
  return result.ok ? (result.rows.get(0)?.length ?? 0) : 0
}
