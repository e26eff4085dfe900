import type { Database, Row, Statement, Step, TableShape, WriteValue } from '../db/database.ts'

const STICKY_EVENTS: TableShape = {
  name: 'sticky_events',
  columns: [
    { name: 'event_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
    { name: 'position', type: 'int' },
    { name: 'until_ts', type: 'int' },
    { name: 'is_ours', type: 'int' },
  ],
}

/** A sticky event, columns as in the schema. */
export interface StickyRow extends Row {
  event_nid: number
  room_nid: number
  position: number
  until_ts: number
}

/** What is new in a row. */
export interface NewSticky {
  readonly roomNid: number
  readonly eventNid: WriteValue
  /** 0: soft-failed. */
  readonly position: WriteValue
  /** Milliseconds since 1970. */
  readonly until: number
  readonly isOurs: boolean
}

export function insertSticky({ roomNid, eventNid, position, until, isOurs }: NewSticky): Step {
  return { into: STICKY_EVENTS, values: [eventNid, roomNid, position, until, isOurs ? 1 : 0] }
}

/** A soft-failed event is accepted after all, or judged once more: until when it is sticky stays. */
export function moveSticky(from: number, to: WriteValue, position: WriteValue): Statement {
  return {
    sql: 'UPDATE sticky_events SET event_nid = ?, position = ? WHERE event_nid = ?',
    params: [to, position, from],
  }
}

/** The time up to which anything is sticky; 0: nothing is. */
export async function findLastSticky(db: Database): Promise<number> {
  const rows = await db.query<{ ts: number | null }>('SELECT max(until_ts) AS ts FROM sticky_events', [])
  return rows[0]?.ts ?? 0
}

/** Until when events are sticky, by number. */
export async function findStickyUntil(
  db: Database,
  nids: readonly number[],
): Promise<{ event_nid: number; until_ts: number }[]> {
  return db.query<{ event_nid: number; until_ts: number }>(
    'SELECT event_nid, until_ts FROM sticky_events WHERE event_nid IN (?int[])',
    [nids],
  )
}

/** Which sticky events, beside their rooms. */
export interface StickyRange {
  /** Positions in (after, upTo]. */
  readonly after: number
  readonly upTo: number
  /** Those that are sticky at this time. */
  readonly now: number
  /** The oldest so many, or the newest. */
  readonly limit: number
  readonly newest?: boolean
}

/** Sticky events of rooms, in the order of positions, the other way round where the newest are asked for. */
export function listSticky(
  db: Database,
  roomNids: readonly number[],
  { after, upTo, now, limit, newest = false }: StickyRange,
): Promise<StickyRow[]> {
  return db.query<StickyRow>(
    `SELECT event_nid, room_nid, position, until_ts FROM sticky_events
     WHERE room_nid IN (?int[]) AND position > ? AND position <= ? AND until_ts > ?
     ORDER BY position ${newest ? 'DESC' : 'ASC'} LIMIT ?`,
    [roomNids, after, upTo, now, limit],
  )
}

/** Those of this server's users in one room, from a position on and before another. */
export function listOwnSticky(
  db: Database,
  roomNid: number,
  { from, end, now, limit }: Record<'from' | 'end' | 'now' | 'limit', number>,
): Promise<StickyRow[]> {
  return db.query<StickyRow>(
    `SELECT event_nid, room_nid, position, until_ts FROM sticky_events
     WHERE room_nid = ? AND position >= ? AND position < ? AND until_ts > ? AND is_ours = 1 ORDER BY position LIMIT ?`,
    [roomNid, from, end, now, limit],
  )
}

/** Rooms with soft-failed events that are still sticky. */
export async function listRoomsOfRefusedSticky(db: Database, now: number): Promise<number[]> {
  const rows = await db.query<{ room_nid: number }>(
    'SELECT DISTINCT room_nid FROM sticky_events WHERE position = 0 AND until_ts > ?',
    [now],
  )
  return rows.map((row) => row.room_nid)
}

/** Numbers of soft-failed events of a room that are still sticky, the newest first. */
export async function listRefusedSticky(
  db: Database,
  roomNid: number,
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await db.query<{ event_nid: number }>(
    `SELECT event_nid FROM sticky_events WHERE room_nid = ? AND position = 0 AND until_ts > ?
     ORDER BY event_nid LIMIT ?`,
    [roomNid, now, limit],
  )
  return rows.map((row) => row.event_nid)
}

/** Removes at most `limit` events whose time is over. Resolves with how many there were. */
export async function forgetSticky(db: Database, now: number, limit: number): Promise<number> {
  const rows = await db.query<{ event_nid: number }>(
    'SELECT event_nid FROM sticky_events WHERE until_ts <= ? ORDER BY until_ts LIMIT ?',
    [now, limit],
  )
  const steps = rows.map(({ event_nid: nid }) => ({
    sql: 'DELETE FROM sticky_events WHERE event_nid = ?',
    params: [nid],
  }))
  if (steps.length > 0) await db.commit({ entries: [], steps })
  return rows.length
}
