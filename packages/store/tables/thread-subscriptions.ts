import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const THREAD_SUBSCRIPTIONS: TableShape = {
  name: 'thread_subscriptions',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'thread_id', type: 'text' },
    { name: 'subscribed', type: 'int' },
    { name: 'automatic', type: 'int' },
    { name: 'unsubscribed_at', type: 'int' },
    { name: 'position', type: 'int' },
  ],
}

/** Whose subscription, to which thread. */
export interface ThreadKey {
  readonly userId: string
  readonly roomNid: number
  readonly threadId: string
}

/** What a user said last about a thread, columns as in the schema. */
export interface ThreadSubscriptionRow extends Row {
  room_nid: number
  thread_id: string
  subscribed: number
  automatic: number
  unsubscribed_at: number
  position: number
}

const COLUMNS = 'room_nid, thread_id, subscribed, automatic, unsubscribed_at, position'

/** Undefined: they never subscribed to it. */
export async function findThreadSubscription(
  db: Database,
  { userId, roomNid, threadId }: ThreadKey,
): Promise<ThreadSubscriptionRow | undefined> {
  const rows = await db.query<ThreadSubscriptionRow>(
    `SELECT ${COLUMNS} FROM thread_subscriptions WHERE user_id = ? AND room_nid = ? AND thread_id = ?`,
    [userId, roomNid, threadId],
  )
  return rows[0]
}

/** All threads that somebody is subscribed to. */
export function listSubscribedThreads(
  db: Database,
  userId: string,
): Promise<{ room_nid: number; thread_id: string }[]> {
  return db.query<{ room_nid: number; thread_id: string }>(
    'SELECT room_nid, thread_id FROM thread_subscriptions WHERE user_id = ? AND subscribed = 1',
    [userId],
  )
}

/** What a subscription becomes. */
export type SubscriptionChange =
  | { readonly subscribed: true; readonly automatic: boolean }
  /** `at`: the log's position. */
  | { readonly subscribed: false; readonly at: number }

/**
 * Writes a change; refused unless the subscription is still as it was read.
 * @param entry index of the log entry in the write
 * @param before position at which it was read; undefined when there was none
 */
export function changeThreadSubscription(
  { userId, roomNid, threadId }: ThreadKey,
  change: SubscriptionChange,
  entry: number,
  before: number | undefined,
): Step {
  const position = { position: entry }
  const values = change.subscribed ? [1, change.automatic ? 1 : 0, 0] : [0, 0, change.at]
  if (before === undefined)
    return { into: THREAD_SUBSCRIPTIONS, values: [userId, roomNid, threadId, ...values, position] }
  return {
    sql: `UPDATE thread_subscriptions SET subscribed = ?, automatic = ?, unsubscribed_at = ?, position = ?
     WHERE user_id = ? AND room_nid = ? AND thread_id = ? AND position = ?`,
    params: [...values, position, userId, roomNid, threadId, before],
    expectRows: 1,
  }
}

/** The newest changes of a user in (after, upTo], the newest first; in rooms that are still there. */
export function listThreadChanges(
  db: Database,
  userId: string,
  { after, upTo, limit }: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<(ThreadSubscriptionRow & { room_id: string })[]> {
  return db.query<ThreadSubscriptionRow & { room_id: string }>(
    `SELECT s.room_nid, s.thread_id, s.subscribed, s.automatic, s.unsubscribed_at, s.position, r.room_id
     FROM thread_subscriptions s JOIN rooms r ON r.nid = s.room_nid
     WHERE s.user_id = ? AND s.position > ? AND s.position <= ? ORDER BY s.position DESC LIMIT ?`,
    [userId, after, upTo, limit],
  )
}

/** The position of the change after which `kept` others of somebody's unsubscribed threads changed; undefined: not so many. */
export async function findSurplusUnsubscribed(
  db: Database,
  userId: string,
  kept: number,
): Promise<number | undefined> {
  const rows = await db.query<{ position: number }>(
    `SELECT position FROM thread_subscriptions WHERE user_id = ? AND subscribed = 0
     ORDER BY position DESC LIMIT 1 OFFSET ?`,
    [userId, kept],
  )
  return rows[0]?.position
}

/** Forgets the threads that somebody unsubscribed from up to a position. */
export function forgetUnsubscribed(userId: string, upTo: number): Statement {
  return {
    sql: 'DELETE FROM thread_subscriptions WHERE user_id = ? AND position <= ? AND subscribed = 0',
    params: [userId, upTo],
  }
}
