import type { Database, Row, Step, TableShape } from '../db/database.ts'

const NEW_RECEIPTS: TableShape = {
  name: 'receipts',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'receipt_type', type: 'text' },
    { name: 'thread_id', type: 'text' },
    { name: 'event_id', type: 'text' },
    { name: 'event_nid', type: 'int' },
    { name: 'ts', type: 'int' },
    { name: 'position', type: 'int' },
  ],
}

const RECEIPTS: TableShape = {
  ...NEW_RECEIPTS,
  onConflict: { key: ['room_nid', 'user_id', 'receipt_type', 'thread_id'], action: 'replace' },
}

/** The newest receipt of one user, kind and thread. */
export interface ReceiptRow extends Row {
  room_nid: number
  user_id: string
  receipt_type: string
  /** Empty when it is not threaded. */
  thread_id: string
  event_id: string
  event_nid: number
  ts: number
}

const COLUMNS = 'room_nid, user_id, receipt_type, thread_id, event_id, event_nid, ts'

export interface ReceiptKey {
  readonly roomNid: number
  readonly userId: string
  readonly receiptType: string
  /** Empty when it is not threaded. */
  readonly threadId: string
}

/** Where a user's receipt of one kind and thread stands and which log entry set it, or undefined. */
export async function findReceipt(
  db: Database,
  key: ReceiptKey,
): Promise<(ReceiptRow & { position: number }) | undefined> {
  const rows = await db.query<ReceiptRow & { position: number }>(
    `SELECT ${COLUMNS}, position FROM receipts
     WHERE room_nid = ? AND user_id = ? AND receipt_type = ? AND thread_id = ?`,
    [key.roomNid, key.userId, key.receiptType, key.threadId],
  )
  return rows[0]
}

/** Every receipt of some rooms that a reader may see, changed in (after, upTo] of the log: one query. */
export function listReceipts(
  db: Database,
  readerId: string,
  roomNids: readonly number[],
  after: number,
  upTo: number,
): Promise<ReceiptRow[]> {
  return db.queryLarge<ReceiptRow>(
    `SELECT ${COLUMNS} FROM receipts
     WHERE room_nid IN (?int[]) AND position > ? AND position <= ?
     AND (receipt_type <> 'm.read.private' OR user_id = ?)`,
    [roomNids, after, upTo, readerId],
  )
}

/** Receipts of some rooms that a reader may see: their own, and those of some events. Reads all of these rooms. */
export function listReceiptsForEvents(
  db: Database,
  readerId: string,
  roomNids: readonly number[],
  eventIds: readonly string[],
  upTo: number,
): Promise<ReceiptRow[]> {
  return db.queryLarge<ReceiptRow>(
    `SELECT ${COLUMNS} FROM receipts WHERE room_nid IN (?int[]) AND position <= ?
     AND (user_id = ? OR (receipt_type <> 'm.read.private' AND event_id IN (?text[])))`,
    [roomNids, upTo, readerId, eventIds],
  )
}

/** Where receipts of one kind of several users stand in several rooms. One query. */
export function listReceiptsOf(
  db: Database,
  roomNids: readonly number[],
  userIds: readonly string[],
  receiptType: string,
): Promise<ReceiptRow[]> {
  return db.queryLarge<ReceiptRow>(
    `SELECT ${COLUMNS} FROM receipts
     WHERE user_id IN (?text[]) AND room_nid IN (?int[]) AND receipt_type = ?`,
    [userIds, roomNids, receiptType],
  )
}

/** Sets a receipt. @param entry index of its log entry in the write */
export function setReceipt(
  key: ReceiptKey,
  event: { readonly eventId: string; readonly nid: number },
  ts: number,
  entry: number,
): Step {
  const { roomNid, userId, receiptType, threadId } = key
  return {
    into: RECEIPTS,
    values: [roomNid, userId, receiptType, threadId, event.eventId, event.nid, ts, { position: entry }],
  }
}

/**
 * The same, refused when it is not as it was read.
 * @param before position of the entry that set it; undefined when there was none
 */
export function changeReceipt(
  key: ReceiptKey,
  event: { readonly eventId: string; readonly nid: number },
  ts: number,
  entry: number,
  before: number | undefined,
): Step {
  const { roomNid, userId, receiptType, threadId } = key
  const own = [roomNid, userId, receiptType, threadId]
  const values = [event.eventId, event.nid, ts, { position: entry }]
  if (before === undefined) return { into: NEW_RECEIPTS, values: [...own, ...values] }
  return {
    sql: `UPDATE receipts SET event_id = ?, event_nid = ?, ts = ?, position = ?
          WHERE room_nid = ? AND user_id = ? AND receipt_type = ? AND thread_id = ? AND position = ?`,
    params: [...values, ...own, before],
    expectRows: 1,
  }
}
