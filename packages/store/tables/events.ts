import type { Database, Insert, Row, Statement, TableShape, WriteValue } from '../db/database.ts'

/** One row of `events`, columns as in the schema. */
export interface EventRow extends Row {
  nid: number
  event_id: string
  room_nid: number
  depth: number
  state_root: number
  state_before: number
  flags: number
  state_nid: number
  room_root: number
  /** Text or its UTF-8, whichever the driver has at less cost. */
  json: Uint8Array | string
}

const PLACE = 'nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, room_root'
const COLUMNS = `${PLACE}, UTF8(json) AS json`
/** Outlier, rejected, soft-failed: kept, but never part of a timeline. */
const HIDDEN = 7
/**
 * None of these flags. Written as a comparison: PostgreSQL takes an equality of an expression for something rare (1 in
 * 200), and then reads all of a room and sorts it rather than walking the index that has its order.
 */
const without = (flags: number): string => `(flags & ${flags}) < 1`

/** Relations that are bundled with what they relate to; reactions are not. */
export const BUNDLED_RELATIONS: readonly string[] = ['m.replace', 'm.thread', 'm.reference']

/** A row of a room's timeline. */
export interface TimelineRow extends EventRow {
  /** 1 when anything that is bundled relates to it, whoever may see that. */
  related: number
}

/** Asked with the rows, an event at a time from the index of relations: a page without any needs no further look. */
const RELATED = `COALESCE((SELECT 1 FROM relations r WHERE r.parent_event_id = events.event_id
   AND r.rel_type IN (${BUNDLED_RELATIONS.map((name) => `'${name}'`).join(', ')}) LIMIT 1), 0) AS related`

export const EVENTS: TableShape = {
  name: 'events',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'event_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'depth', type: 'int' },
    { name: 'state_root', type: 'int' },
    { name: 'state_before', type: 'int' },
    { name: 'flags', type: 'int' },
    { name: 'state_nid', type: 'int' },
    { name: 'room_root', type: 'int' },
    { name: 'json', type: 'bytes' },
  ],
}

export const STATE_EVENTS: TableShape = {
  name: 'state_events',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'state_nid', type: 'int' },
    { name: 'event_nid', type: 'int' },
    { name: 'auth', type: 'bytes' },
  ],
}

export const RELATIONS: TableShape = {
  name: 'relations',
  columns: [
    { name: 'event_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
    { name: 'parent_event_id', type: 'text' },
    { name: 'rel_type', type: 'text' },
    { name: 'type', type: 'text' },
    { name: 'sender', type: 'text' },
    { name: 'aggregation_key', type: 'text' },
  ],
}

export const REDACTIONS: TableShape = {
  name: 'redactions',
  columns: [
    { name: 'event_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
    { name: 'redacts', type: 'text' },
  ],
}

export const CLIENT_TRANSACTIONS: TableShape = {
  name: 'client_transactions',
  columns: [
    { name: 'key', type: 'bytes' },
    { name: 'created_ts', type: 'int' },
    { name: 'event_nid', type: 'int' },
    { name: 'response', type: 'text' },
  ],
}

const EVENT_REJECTIONS: TableShape = {
  name: 'event_rejections',
  columns: [
    { name: 'event_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
    { name: 'reason', type: 'text' },
  ],
}

/** Why an event was refused, for whoever asks later. */
export function noteRejection(roomNid: number, nid: WriteValue, reason: string): Insert {
  return { into: EVENT_REJECTIONS, values: [nid, roomNid, reason] }
}

/** Why these events were refused, by number; those that were not are left out. */
export async function findRejections(
  db: Database,
  nids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (nids.length === 0) return new Map()
  const rows = await db.query<{ event_nid: number; reason: string }>(
    'SELECT event_nid, reason FROM event_rejections WHERE event_nid IN (?int[])',
    [nids],
  )
  return new Map(rows.map((row) => [row.event_nid, row.reason]))
}

/** How many events of a room are refused. Counts them. */
export async function countRefused(
  db: Database,
  roomNid: number,
): Promise<{ readonly rejected: number; readonly softFailed: number }> {
  const rows = await db.queryLarge<{ rejected: number; n: number }>(
    `SELECT (flags & 2) AS rejected, count(*) AS n FROM events WHERE room_nid = ? AND (flags & 6) <> 0
     GROUP BY (flags & 2)`,
    [roomNid],
  )
  const of = (isRejected: boolean): number =>
    Number(rows.find((row) => (Number(row.rejected) !== 0) === isRejected)?.n ?? 0)
  return { rejected: of(true), softFailed: of(false) }
}

/** Events by id, in no particular order; ids we do not hold are left out. */
export function findEventRows(db: Database, eventIds: readonly string[]): Promise<EventRow[]> {
  return eventIds.length === 1
    ? db.query<EventRow>(`SELECT ${COLUMNS} FROM events WHERE event_id = ?`, [eventIds[0]!])
    : db.query<EventRow>(`SELECT ${COLUMNS} FROM events WHERE event_id IN (?text[])`, [eventIds])
}

/** The newest event of a room's log that has all of these flags; undefined when there is none. Walks the room's rows back to it. */
export async function findNewestFlagged(
  db: Database,
  roomNid: number,
  flags: number,
): Promise<EventRow | undefined> {
  const rows = await db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND nid > 0 AND (flags & ?) >= ? ORDER BY nid DESC LIMIT 1`,
    [roomNid, flags, flags],
  )
  return rows[0]
}

/** Events by number, in no particular order. */
export function findEventRowsByNid(db: Database, nids: readonly number[]): Promise<EventRow[]> {
  return db.query<EventRow>(`SELECT ${COLUMNS} FROM events WHERE nid IN (?int[])`, [nids])
}

/** State events by their number within the room. */
export function findStateEventRows(
  db: Database,
  roomNid: number,
  stateNids: readonly number[],
): Promise<EventRow[]> {
  const columns = `${PLACE.replaceAll(/(\w+)/g, 'e.$1')}, UTF8(e.json) AS json`
  const sql = `SELECT ${columns} FROM state_events s JOIN events e ON e.nid = s.event_nid
     WHERE s.room_nid = ? AND s.state_nid IN (?int[])`
  const args = [roomNid, stateNids]
  return stateNids.length > 250 ? db.queryLarge<EventRow>(sql, args) : db.query<EventRow>(sql, args)
}

/**
 * A stretch of a room's timeline in arrival order: `after` < nid < `before`, newest first when `backwards`.
 * Costs one index range of `limit` rows.
 */
export function listTimelineRows(
  db: Database,
  roomNid: number,
  range: { after: number; before: number; backwards: boolean; limit: number },
): Promise<TimelineRow[]> {
  const sql = `SELECT ${COLUMNS}, ${RELATED} FROM events
     WHERE room_nid = ? AND nid > ? AND nid < ? AND ${without(HIDDEN)}
     ORDER BY nid ${range.backwards ? 'DESC' : 'ASC'} LIMIT ?`
  const args = [roomNid, range.after, range.before, range.limit]
  return range.limit > 500 ? db.queryLarge<TimelineRow>(sql, args) : db.query<TimelineRow>(sql, args)
}

/** The room's state as of its newest event in the timeline; undefined for a room without any. */
export async function findNewestRoot(db: Database, roomNid: number): Promise<number | undefined> {
  const rows = await db.query<{ root: number }>(
    `SELECT CASE room_root WHEN 0 THEN state_root ELSE room_root END AS root FROM events
     WHERE room_nid = ? AND (flags & ${HIDDEN}) = 0 ORDER BY nid DESC LIMIT 1`,
    [roomNid],
  )
  return rows[0]?.root
}

/** The newest event in the timeline of each of several rooms; one look-up in the index of rooms each. */
export function listNewestEvents(
  db: Database,
  roomNids: readonly number[],
): Promise<{ room_nid: number; nid: number | null }[]> {
  const sql = `SELECT r.nid AS room_nid, (SELECT e.nid FROM events e WHERE e.room_nid = r.nid
     AND (e.flags & ${HIDDEN}) < 1 ORDER BY e.nid DESC LIMIT 1) AS nid FROM rooms r WHERE r.nid IN (?int[])`
  return db[roomNids.length > 200 ? 'queryLarge' : 'query'](sql, [roomNids])
}

/** The event at the beginning of the graph of each of several rooms, as far as it is held: mostly the room's creation. */
export function listFirstEvents(
  db: Database,
  roomNids: readonly number[],
): Promise<{ room_nid: number; json: Uint8Array | string }[]> {
  const sql = `SELECT room_nid, UTF8(json) AS json FROM events WHERE nid IN (
     SELECT (SELECT e.nid FROM events e WHERE e.room_nid = r.nid ORDER BY e.room_nid, e.depth, e.nid LIMIT 1)
     FROM rooms r WHERE r.nid IN (?int[]))`
  return db[roomNids.length > 200 ? 'queryLarge' : 'query'](sql, [roomNids])
}

/** Every event after a log position, in order: for readers that fell behind the ring. */
export function listLogEventRows(
  db: Database,
  after: number,
  upTo: number,
  limit: number,
): Promise<EventRow[]> {
  return db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE nid > ? AND nid <= ? ORDER BY nid LIMIT ?`,
    [after, upTo, limit],
  )
}

/** Events below a number of the second sequence, down to another, in the order in which they came. */
export function listHistoricalEventRows(
  db: Database,
  below: number,
  downTo: number,
  limit: number,
): Promise<EventRow[]> {
  return db.queryLarge<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE nid < ? AND nid >= ? ORDER BY nid DESC LIMIT ?`,
    [below, downTo, limit],
  )
}

/** The redaction that removed an event's content, or undefined. The oldest wins. */
export async function findRedactionOf(db: Database, eventId: string): Promise<number | undefined> {
  const rows = await db.query<{ event_nid: number }>(
    'SELECT event_nid FROM redactions WHERE redacts = ? ORDER BY event_nid LIMIT 1',
    [eventId],
  )
  return rows[0]?.event_nid
}

/** Of these events those that a redaction on record names: by id the oldest redaction's number. */
export async function findRedactions(
  db: Database,
  eventIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await db.query<{ redacts: string; event_nid: number }>(
    'SELECT redacts, MIN(event_nid) AS event_nid FROM redactions WHERE redacts IN (?text[]) GROUP BY redacts',
    [eventIds],
  )
  return new Map(rows.map((row) => [row.redacts, Number(row.event_nid)]))
}

/** Ids of the events that these redactions name, by the redactions' numbers. */
export async function listRedacted(db: Database, redactions: readonly number[]): Promise<string[]> {
  const rows = await db.query<{ redacts: string }>(
    'SELECT redacts FROM redactions WHERE event_nid IN (?int[])',
    [redactions],
  )
  return rows.map((row) => row.redacts)
}

/** How an idempotent request was answered: with the id of an event, or with a text. */
export interface ClientTransactionRow extends Row {
  /** NULL: not by an event, or by one that is there no more (its room was purged). */
  event_id: string | null
  response: string | null
}

/** The stored answer to an idempotent request, if it was made before. */
export async function findClientTransaction(
  db: Database,
  key: Uint8Array,
): Promise<ClientTransactionRow | undefined> {
  const rows = await db.query<ClientTransactionRow>(
    `SELECT e.event_id, t.response FROM client_transactions t LEFT JOIN events e ON e.nid = t.event_nid
     WHERE t.key = ?`,
    [key],
  )
  return rows[0]
}

/** For the write that answers a request anew, whose answer of old is there no more. */
export function deleteClientTransaction(key: Uint8Array): Statement {
  return { sql: 'DELETE FROM client_transactions WHERE key = ?', params: [key] }
}

/** Forgets at most `limit` answers given before a time. Resolves with how many there were. */
export async function deleteClientTransactionsBefore(
  db: Database,
  before: number,
  limit: number,
): Promise<number> {
  const rows = await db.query<{ key: Uint8Array }>(
    'SELECT key FROM client_transactions WHERE created_ts < ? ORDER BY created_ts LIMIT ?',
    [before, limit],
  )
  if (rows.length === 0) return 0
  await db.commit({
    entries: [],
    steps: rows.map((row) => deleteClientTransaction(row.key)),
  })
  return rows.length
}

/** A place in the order of a room's graph: between events by depth, then number. */
export interface GraphPlace {
  readonly depth: number
  readonly nid: number
}

/**
 * A stretch of a room's history in the order of its graph (by depth, then number), exclusive at both ends, newest
 * first when `backwards`. Only events that came before `arrivedBefore`. Costs one index range of `limit` rows, and
 * those that came later.
 */
export function listHistoryRows(
  db: Database,
  roomNid: number,
  range: {
    after: GraphPlace
    before: GraphPlace
    arrivedBefore: number
    backwards: boolean
    limit: number
    /** Flags of events to leave out; those that are no part of a timeline when absent. */
    without?: number
  },
): Promise<TimelineRow[]> {
  const direction = range.backwards ? 'DESC' : 'ASC'
  const sql = `SELECT ${COLUMNS}, ${RELATED} FROM events
     WHERE room_nid = ? AND (depth, nid) > (CAST(? AS BIGINT), ?) AND (depth, nid) < (CAST(? AS BIGINT), ?) AND nid < ?
       AND ${without(range.without ?? HIDDEN)}
     ORDER BY depth ${direction}, nid ${direction} LIMIT ?`
  const { after, before, arrivedBefore, limit } = range
  const args = [roomNid, after.depth, after.nid, before.depth, before.nid, arrivedBefore, limit]
  return limit > 500 ? db.queryLarge<TimelineRow>(sql, args) : db.query<TimelineRow>(sql, args)
}

/** The place of the deepest event of those that came before a number; undefined when there is none. */
export async function findDeepestBefore(
  db: Database,
  roomNid: number,
  arrivedBefore: number,
): Promise<GraphPlace | undefined> {
  const rows = await db.queryLarge<{ depth: number; nid: number }>(
    `SELECT depth, nid FROM events WHERE room_nid = ? AND nid < ? ORDER BY depth DESC, nid DESC LIMIT 1`,
    [roomNid, arrivedBefore],
  )
  return rows[0]
}

/** The greatest depth below another of what came by the log, not by filling a gap; undefined when there is none. */
export async function findDepthBelow(
  db: Database,
  roomNid: number,
  depth: number,
): Promise<number | undefined> {
  const rows = await db.query<{ depth: number }>(
    'SELECT depth FROM events WHERE room_nid = ? AND depth < CAST(? AS BIGINT) AND nid > 0 ORDER BY depth DESC LIMIT 1',
    [roomNid, depth],
  )
  return rows[0]?.depth
}
