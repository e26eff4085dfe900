import type { Database } from '../db/database.ts'
import type { EventRow } from './events.ts'

const COLUMNS = 'nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, room_root, json'

/** Whether the bytes of an event contain a text. */
const CONTAINS = { sqlite: 'instr(json, ?) > 0', postgres: 'position(? in json) > 0' } as const

/** After every event. */
export const AFTER_ALL = Number.MAX_SAFE_INTEGER
/** Before every event, back-filled ones too. */
export const BEFORE_ALL = -Number.MAX_SAFE_INTEGER

/** A stretch of a room's events, and those of one sender in it. */
export interface SenderStretch {
  /** Among them may be events that only quote such a sender: look at each. */
  readonly rows: EventRow[]
  /** The number of the stretch's last event; undefined: the room has no more. */
  readonly last: number | undefined
}

/**
 * Looks for one sender's events among the next `limit` events of a room after a number. There is no index by
 * sender, which would cost every message something for what is done once in an account's life: the database
 * reads the stretch, and only what may match comes here.
 */
export function findEventsOfSender(
  db: Database,
  roomNid: number,
  sender: string,
  after: number,
  limit: number,
): Promise<SenderStretch> {
  return findStretch(db, roomNid, sender, { from: after, backwards: false, limit })
}

/** The same among those before a number, the newest first. */
export function findEventsOfSenderBefore(
  db: Database,
  roomNid: number,
  sender: string,
  before: number,
  limit: number,
): Promise<SenderStretch> {
  return findStretch(db, roomNid, sender, { from: before, backwards: true, limit })
}

async function findStretch(
  db: Database,
  roomNid: number,
  sender: string,
  { from, backwards, limit }: { from: number; backwards: boolean; limit: number },
): Promise<SenderStretch> {
  const [beyond, upTo, order, reverse] = backwards ? ['<', '>=', 'DESC', 'ASC'] : ['>', '<=', 'ASC', 'DESC']
  const ends = await db.queryLarge<{ nid: number }>(
    `SELECT nid FROM (SELECT nid FROM events WHERE room_nid = ? AND nid ${beyond} ? ORDER BY nid ${order} LIMIT ?)
       AS stretch ORDER BY nid ${reverse} LIMIT 1`,
    [roomNid, from, limit],
  )
  const last = ends[0]?.nid
  if (last === undefined) return { rows: [], last }
  const text = new TextEncoder().encode(`"sender":${JSON.stringify(sender)}`)
  const rows = await db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events
     WHERE room_nid = ? AND nid ${beyond} ? AND nid ${upTo} ? AND ${CONTAINS[db.dialect]} ORDER BY nid ${order}`,
    [roomNid, from, last, text],
  )
  return { rows, last }
}

/**
 * Looks for one sender's events among the next `limit` state events of a room, in the order of their numbers as such; 0 is
 * before the first. `last` is where to go on.
 */
export async function findStateEventsOfSender(
  db: Database,
  roomNid: number,
  sender: string,
  after: number,
  limit: number,
): Promise<SenderStretch> {
  const ends = await db.queryLarge<{ last: number | null }>(
    `SELECT max(state_nid) AS last FROM (SELECT state_nid FROM state_events WHERE room_nid = ? AND state_nid > ?
       ORDER BY state_nid LIMIT ?) AS stretch`,
    [roomNid, after, limit],
  )
  const last = ends[0]?.last ?? undefined
  if (last === undefined) return { rows: [], last }
  const text = new TextEncoder().encode(`"sender":${JSON.stringify(sender)}`)
  const columns = COLUMNS.replaceAll(/(\w+)/g, 'e.$1')
  const rows = await db.queryLarge<EventRow>(
    `SELECT ${columns} FROM state_events s JOIN events e ON e.nid = s.event_nid
     WHERE s.room_nid = ? AND s.state_nid > ? AND s.state_nid <= ?
     AND ${CONTAINS[db.dialect].replace('json', 'e.json')}`,
    [roomNid, after, last, text],
  )
  return { rows, last }
}
