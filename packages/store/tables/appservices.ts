import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'
import { deleteToDeviceAt } from './to-device.ts'

const MEMBERS: TableShape = {
  name: 'appservice_members',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'appservice_nid', type: 'int' },
    { name: 'user_id', type: 'text' },
  ],
  onConflict: { key: ['room_nid', 'appservice_nid', 'user_id'], action: 'ignore' },
}

const TRANSACTIONS: TableShape = {
  name: 'appservice_transactions',
  columns: [
    { name: 'appservice_nid', type: 'int' },
    { name: 'txn', type: 'int' },
    { name: 'body', type: 'text' },
    { name: 'to_device', type: 'text' },
  ],
}

const PUBLISHED: TableShape = {
  name: 'appservice_published_rooms',
  columns: [
    { name: 'network_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'appservice_id', type: 'text' },
  ],
  onConflict: { key: ['network_id', 'room_nid'], action: 'ignore' },
}

export interface AppserviceRow extends Row {
  nid: number
  appservice_id: string
  registration: string
  last_txn: number
}

/** Every appservice that was ever registered. */
export function listAppservices(db: Database): Promise<AppserviceRow[]> {
  return db.query<AppserviceRow>('SELECT nid, appservice_id, registration, last_txn FROM appservices', [])
}

/** A new appservice, or a known one whose registration changed. Its number stays. */
export function saveAppservice(nid: number, appserviceId: string, registration: string): Statement {
  return {
    sql: `INSERT INTO appservices (nid, appservice_id, registration, last_txn) VALUES (?, ?, ?, 0)
          ON CONFLICT (nid) DO UPDATE SET registration = excluded.registration`,
    params: [nid, appserviceId, registration],
  }
}

/** Users of ours joined to any room, in stretches by room and user, for rebuilding the index of members. */
export function listLocalJoins(
  db: Database,
  after: { readonly roomNid: number; readonly userId: string },
  limit: number,
): Promise<{ room_nid: number; user_id: string }[]> {
  return db.queryLarge(
    `SELECT room_nid, user_id FROM memberships
     WHERE membership = 'join' AND is_local = 1 AND (room_nid > ? OR (room_nid = ? AND user_id > ?))
     ORDER BY room_nid, user_id LIMIT ?`,
    [after.roomNid, after.roomNid, after.userId, limit],
  )
}

export function insertAppserviceMember(roomNid: number, appserviceNid: number, userId: string): Step {
  return { into: MEMBERS, values: [roomNid, appserviceNid, userId] }
}

export function deleteAppserviceMember(roomNid: number, appserviceNid: number, userId: string): Statement {
  return {
    sql: 'DELETE FROM appservice_members WHERE room_nid = ? AND appservice_nid = ? AND user_id = ?',
    params: [roomNid, appserviceNid, userId],
  }
}

/** Of a purged room. */
export function deleteAppserviceMembersOf(roomNid: number): Statement {
  return { sql: 'DELETE FROM appservice_members WHERE room_nid = ?', params: [roomNid] }
}

export function deleteAppserviceMembers(appserviceNid: number): Statement {
  return { sql: 'DELETE FROM appservice_members WHERE appservice_nid = ?', params: [appserviceNid] }
}

/** Which appservices have a member in which of these rooms: one index look-up for each pair, however many members. */
export function findMemberInterest(
  db: Database,
  roomNids: readonly number[],
): Promise<{ room_nid: number; appservice_nid: number }[]> {
  return db.query(
    `SELECT r.nid AS room_nid, a.nid AS appservice_nid FROM rooms r CROSS JOIN appservices a
     WHERE r.nid IN (?int[]) AND EXISTS
     (SELECT 1 FROM appservice_members m WHERE m.room_nid = r.nid AND m.appservice_nid = a.nid)`,
    [roomNids],
  )
}

/** Whether an appservice has a member in a room other than those named. */
export async function hasOtherMember(
  db: Database,
  roomNid: number,
  appserviceNid: number,
  except: readonly string[],
): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 AS one FROM appservice_members
     WHERE room_nid = ? AND appservice_nid = ? AND user_id NOT IN (?text[]) LIMIT 1`,
    [roomNid, appserviceNid, except],
  )
  return rows.length > 0
}

/** Aliases of rooms, by room number. */
export function listAliasesOfRooms(
  db: Database,
  roomNids: readonly number[],
): Promise<{ room_nid: number; alias: string }[]> {
  return db.query(
    `SELECT r.nid AS room_nid, a.alias FROM rooms r JOIN room_aliases a ON a.room_id = r.room_id
     WHERE r.nid IN (?int[])`,
    [roomNids],
  )
}

/** Adds items to the end of a row of pending ones, which is made if it is not there (any more). */
export function appendPending(appserviceNid: number, seq: number, items: string): Statement {
  return {
    sql: `INSERT INTO appservice_pending (appservice_nid, seq, items) VALUES (?, ?, ?)
          ON CONFLICT (appservice_nid, seq) DO UPDATE SET items = appservice_pending.items || ',' || excluded.items`,
    params: [appserviceNid, seq, items],
  }
}

export interface PendingRow extends Row {
  seq: number
  items: string
}

/** The oldest rows of pending items. */
export function listPending(db: Database, appserviceNid: number, limit: number): Promise<PendingRow[]> {
  return db.query<PendingRow>(
    'SELECT seq, items FROM appservice_pending WHERE appservice_nid = ? ORDER BY seq LIMIT ?',
    [appserviceNid, limit],
  )
}

/** Number of the newest row of pending items, or undefined. */
export async function findLastPending(db: Database, appserviceNid: number): Promise<number | undefined> {
  const rows = await db.query<{ seq: number }>(
    'SELECT seq FROM appservice_pending WHERE appservice_nid = ? ORDER BY seq DESC LIMIT 1',
    [appserviceNid],
  )
  return rows[0]?.seq
}

/** Removes a row as it was read; refuses the write when items were added since. */
export function takePending(appserviceNid: number, row: PendingRow): Statement {
  return {
    sql: 'DELETE FROM appservice_pending WHERE appservice_nid = ? AND seq = ? AND items = ?',
    params: [appserviceNid, row.seq, row.items],
    expectRows: 1,
  }
}

export interface StoredTransaction extends Row {
  txn: number
  body: string
  /** Positions of the messages to devices that it holds, with commas between them. */
  to_device: string
}

/** The transaction that is not acknowledged yet, or undefined. */
export async function findAppserviceTransaction(
  db: Database,
  appserviceNid: number,
): Promise<StoredTransaction | undefined> {
  const rows = await db.query<StoredTransaction>(
    'SELECT txn, body, to_device FROM appservice_transactions WHERE appservice_nid = ?',
    [appserviceNid],
  )
  return rows[0]
}

/** Fixes a transaction under its number; refused when there is one, or the number is not the next. */
export function openAppserviceTransaction(
  appserviceNid: number,
  { txn, body, to_device }: StoredTransaction,
): Step[] {
  return [
    {
      sql: 'UPDATE appservices SET last_txn = ? WHERE nid = ? AND last_txn = ?',
      params: [txn, appserviceNid, txn - 1],
      expectRows: 1,
    },
    { into: TRANSACTIONS, values: [appserviceNid, txn, body, to_device] },
  ]
}

/** The transaction was acknowledged, and with it the messages to devices that it held. */
export function closeAppserviceTransaction(
  appserviceNid: number,
  { txn, to_device }: Pick<StoredTransaction, 'txn' | 'to_device'>,
): Step[] {
  const positions = JSON.parse(`[${to_device}]`) as number[]
  return [
    {
      sql: 'DELETE FROM appservice_transactions WHERE appservice_nid = ? AND txn = ?',
      params: [appserviceNid, txn],
      expectRows: 1,
    },
    ...positions.map(deleteToDeviceAt),
  ]
}

/** Number of an appservice's last transaction. */
export async function findLastTransaction(db: Database, appserviceNid: number): Promise<number> {
  const rows = await db.query<{ last_txn: number }>('SELECT last_txn FROM appservices WHERE nid = ?', [
    appserviceNid,
  ])
  return rows[0]?.last_txn ?? 0
}

/** Lists a room in the directory of a network; one that another appservice listed stays its own. */
export function publishNetworkRoom(networkId: string, roomNid: number, appserviceId: string): Step {
  return { into: PUBLISHED, values: [networkId, roomNid, appserviceId] }
}

/** Takes a room out again, if this appservice listed it. */
export function unpublishNetworkRoom(networkId: string, roomNid: number, appserviceId: string): Statement {
  return {
    sql: 'DELETE FROM appservice_published_rooms WHERE network_id = ? AND room_nid = ? AND appservice_id = ?',
    params: [networkId, roomNid, appserviceId],
  }
}

/** Rooms that appservices publish for a network, by number. */
export async function listNetworkRooms(db: Database, networkId: string): Promise<number[]> {
  const rows = await db.queryLarge<{ room_nid: number }>(
    'SELECT room_nid FROM appservice_published_rooms WHERE network_id = ? ORDER BY room_nid',
    [networkId],
  )
  return rows.map((row) => row.room_nid)
}
