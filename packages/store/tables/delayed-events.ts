import type { Database, Row, Statement, Step, TableShape, WriteValue } from '../db/database.ts'

const DELAYED_EVENTS: TableShape = {
  name: 'delayed_events',
  columns: [
    { name: 'delay_id', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'type', type: 'text' },
    { name: 'state_key', type: 'text' },
    { name: 'content', type: 'text' },
    { name: 'origin_ts', type: 'int' },
    { name: 'delay_ms', type: 'int' },
    { name: 'since_ts', type: 'int' },
    { name: 'send_ts', type: 'int' },
    { name: 'finalised_ts', type: 'int' },
    { name: 'event_nid', type: 'int' },
    { name: 'error', type: 'text' },
    { name: 'sticky_ms', type: 'int' },
  ],
}

/** An event that its sender wants sent later, columns as in the schema. */
export interface DelayedEventRow extends Row {
  delay_id: string
  user_id: string
  room_nid: number
  room_id: string
  type: string
  state_key: string | null
  content: string
  origin_ts: number | null
  delay_ms: number
  since_ts: number
  send_ts: number
  finalised_ts: number
  /** The id of what it became; null when it became nothing, or that is there no more. */
  event_id: string | null
  event_nid: number
  error: string
  /** For how long the event is to be sticky; null: it is not. */
  sticky_ms: number | null
  /** What another server is asked to sign, JSON without signatures: it is being sent. Null: nobody was asked. */
  made: string | null
}

const SELECT = `SELECT d.delay_id, d.user_id, d.room_nid, r.room_id, d.type, d.state_key, d.content, d.origin_ts, d.delay_ms,
   d.since_ts, d.send_ts, d.finalised_ts, d.event_nid, d.error, d.sticky_ms, d.made, e.event_id
   FROM delayed_events d JOIN rooms r ON r.nid = d.room_nid LEFT JOIN events e ON e.nid = d.event_nid AND d.event_nid <> 0`

/** What is new in a row; the rest follows. */
export type NewDelayedEvent = Pick<
  DelayedEventRow,
  | 'delay_id'
  | 'user_id'
  | 'room_nid'
  | 'type'
  | 'state_key'
  | 'content'
  | 'origin_ts'
  | 'delay_ms'
  | 'since_ts'
  | 'sticky_ms'
>

export function insertDelayedEvent(row: NewDelayedEvent): Step {
  const { delay_id: id, user_id: user, room_nid: room, type, state_key: stateKey, content } = row
  const { origin_ts: originTs, delay_ms: delay, since_ts: since, sticky_ms: sticky } = row
  return {
    into: DELAYED_EVENTS,
    values: [
      id,
      user,
      room,
      type,
      stateKey,
      content,
      originTs,
      delay,
      since,
      since + delay,
      0,
      0,
      '',
      sticky,
    ],
  }
}

/** Refuses the write (`precondition`) unless somebody has fewer than `limit` events scheduled. */
export function requireFewerScheduled(userId: string, limit: number): Statement {
  return {
    sql: `SELECT 1 AS one WHERE
       (SELECT count(*) FROM delayed_events WHERE user_id = ? AND finalised_ts = 0) < CAST(? AS BIGINT)`,
    params: [userId, limit],
    expectRows: 1,
    returning: true,
  }
}

export async function findDelayedEvent(db: Database, delayId: string): Promise<DelayedEventRow | undefined> {
  return (await db.query<DelayedEventRow>(`${SELECT} WHERE d.delay_id = ?`, [delayId]))[0]
}

/** What somebody has scheduled, in the order in which it is to be sent. */
export function listScheduled(db: Database, userId: string, limit: number): Promise<DelayedEventRow[]> {
  return db.query<DelayedEventRow>(
    `${SELECT} WHERE d.user_id = ? AND d.finalised_ts = 0 ORDER BY d.send_ts, d.delay_id LIMIT ?`,
    [userId, limit],
  )
}

/** When the next of somebody's events is to be sent; undefined when nothing is scheduled. */
export async function findNextSendOf(db: Database, userId: string): Promise<number | undefined> {
  const rows = await db.query<{ send_ts: number }>(
    'SELECT send_ts FROM delayed_events WHERE user_id = ? AND finalised_ts = 0 ORDER BY send_ts LIMIT 1',
    [userId],
  )
  return rows[0]?.send_ts
}

/** When the next event of anybody is to be sent that is not due yet; undefined when there is none. */
export async function findNextSend(db: Database, now: number): Promise<number | undefined> {
  const rows = await db.query<{ send_ts: number }>(
    'SELECT send_ts FROM delayed_events WHERE finalised_ts = 0 AND send_ts > ? ORDER BY send_ts LIMIT 1',
    [now],
  )
  return rows[0]?.send_ts
}

/** What is due for the longest time, but of these users; undefined when nothing is. */
export async function findDue(
  db: Database,
  now: number,
  butOf: readonly string[],
): Promise<DelayedEventRow | undefined> {
  const rows = await db.query<DelayedEventRow>(
    `${SELECT} WHERE d.finalised_ts = 0 AND d.send_ts <= ? AND NOT (d.user_id IN (?text[]))
     ORDER BY d.send_ts, d.delay_id LIMIT 1`,
    [now, butOf],
  )
  return rows[0]
}

/** The timer begins anew. Refused (`precondition`) for what is not scheduled any more, or is being sent. */
export function restartDelayedEvent(delayId: string, now: number): Statement {
  return {
    sql: 'UPDATE delayed_events SET since_ts = ?, send_ts = delay_ms + CAST(? AS BIGINT) WHERE delay_id = ? AND finalised_ts = 0 AND made IS NULL',
    params: [now, now, delayId],
    expectRows: 1,
  }
}

/** It comes to nothing. Refused (`precondition`) for what is not scheduled any more, or is being sent. */
export function cancelDelayedEvent(delayId: string, now: number): Statement {
  return {
    sql: 'UPDATE delayed_events SET finalised_ts = ? WHERE delay_id = ? AND finalised_ts = 0 AND made IS NULL',
    params: [now, delayId],
    expectRows: 1,
  }
}

/**
 * What another server will be asked to sign. Refused (`precondition`) for what is not scheduled any more, or is being sent;
 * with `sendTs` also when it was restarted and is scheduled for another time.
 */
export function keepMade(delayId: string, made: string, sendTs?: number): Statement {
  return onlyAt(
    {
      sql: 'UPDATE delayed_events SET made = ? WHERE delay_id = ? AND finalised_ts = 0 AND made IS NULL',
      params: [made, delayId],
      expectRows: 1,
    },
    sendTs,
  )
}

/** It was refused, and is scheduled as before. */
export function dropMade(delayId: string): Statement {
  return {
    sql: 'UPDATE delayed_events SET made = NULL WHERE delay_id = ? AND finalised_ts = 0',
    params: [delayId],
  }
}

/** What was being sent when the server stopped is due, whenever it was to be sent. */
export function resumeMade(now: number): Statement {
  return {
    sql: 'UPDATE delayed_events SET send_ts = ? WHERE finalised_ts = 0 AND made IS NOT NULL AND send_ts > ?',
    params: [now, now],
  }
}

/** What a delayed event came to: an event, or an error. */
export interface Outcome {
  readonly eventNid?: WriteValue
  readonly error?: string
}

/**
 * The end of a delayed event. Refused (`precondition`) for what is not scheduled any more; with `sendTs` also when it
 * was restarted and is scheduled for another time.
 */
export function finaliseDelayedEvent(
  delayId: string,
  now: number,
  { eventNid = 0, error = '' }: Outcome,
  sendTs?: number,
): Statement {
  return onlyAt(
    {
      sql: `UPDATE delayed_events SET finalised_ts = ?, event_nid = ?, error = ?, made = NULL
       WHERE delay_id = ? AND finalised_ts = 0`,
      params: [now, eventNid, error, delayId],
      expectRows: 1,
    },
    sendTs,
  )
}

function onlyAt(statement: Statement, sendTs: number | undefined): Statement {
  if (sendTs === undefined) return statement
  return { ...statement, sql: `${statement.sql} AND send_ts = ?`, params: [...statement.params, sendTs] }
}

/** The id of the delayed event that an event was, as long as that is remembered. */
export async function findDelayOf(
  db: Database,
  roomNid: number,
  eventNid: number,
): Promise<string | undefined> {
  const rows = await db.query<{ delay_id: string }>(
    'SELECT delay_id FROM delayed_events WHERE room_nid = ? AND event_nid = ? LIMIT 1',
    [roomNid, eventNid],
  )
  return rows[0]?.delay_id
}

/** When the event ended after which `kept` others of somebody's ended; undefined when there are not so many. */
export async function findSurplus(db: Database, userId: string, kept: number): Promise<number | undefined> {
  const rows = await db.query<{ finalised_ts: number }>(
    `SELECT finalised_ts FROM delayed_events WHERE user_id = ? AND finalised_ts > 0
     ORDER BY finalised_ts DESC LIMIT 1 OFFSET ?`,
    [userId, kept],
  )
  return rows[0]?.finalised_ts
}

/** Forgets what of somebody's ended up to a time. */
export function forgetFinalisedOf(userId: string, upTo: number): Statement {
  return {
    sql: 'DELETE FROM delayed_events WHERE user_id = ? AND finalised_ts > 0 AND finalised_ts <= ?',
    params: [userId, upTo],
  }
}

/** Forgets at most `limit` events that ended before a time. Resolves with how many there were. */
export async function forgetFinalised(db: Database, before: number, limit: number): Promise<number> {
  const rows = await db.query<{ delay_id: string }>(
    'SELECT delay_id FROM delayed_events WHERE finalised_ts > 0 AND finalised_ts < ? ORDER BY finalised_ts LIMIT ?',
    [before, limit],
  )
  const steps = rows.map(({ delay_id: id }) => ({
    sql: 'DELETE FROM delayed_events WHERE delay_id = ?',
    params: [id],
  }))
  if (steps.length > 0) await db.commit({ entries: [], steps })
  return rows.length
}

/** Of somebody whose account ends: nothing more is sent in their name. */
export function deleteScheduledOf(userId: string): Statement {
  return { sql: 'DELETE FROM delayed_events WHERE user_id = ? AND finalised_ts = 0', params: [userId] }
}
