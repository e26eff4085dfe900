import type { Database, ReadParam, Row, Step, TableShape, WriteValue } from '../db/database.ts'

const SENT_POSITIONS: TableShape = {
  name: 'sent_positions',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'thread_id', type: 'text' },
    { name: 'event_nid', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'room_nid', 'thread_id'], action: 'replace' },
}

const MENTIONS: TableShape = {
  name: 'mentions',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'event_nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'thread_id', type: 'text' },
    { name: 'notifies', type: 'int' },
  ],
}

/** Outlier, rejected, soft-failed, notifies: an unread message has only the last of these flags. */
const COUNTED = '(e.flags & 23) = 16'

/** How far a user has read a room outside threads (`main`), in one of them, or in all of it (empty). */
export interface ReadPositionRow extends Row {
  room_nid: number
  thread_id: string
  event_nid: number
}

/** The user's receipts and own messages in some rooms: the newest of each thread. One query. */
export function listReadPositions(
  db: Database,
  userId: string,
  roomNids: readonly number[],
): Promise<ReadPositionRow[]> {
  return db.query<ReadPositionRow>(
    `SELECT p.room_nid, p.thread_id, max(p.event_nid) AS event_nid FROM (
       SELECT room_nid, thread_id, event_nid FROM receipts WHERE user_id = ? AND room_nid IN (?int[])
       UNION ALL
       SELECT room_nid, thread_id, event_nid FROM sent_positions WHERE user_id = ? AND room_nid IN (?int[])
     ) AS p GROUP BY p.room_nid, p.thread_id`,
    [userId, roomNids, userId, roomNids],
  )
}

/** What of a room is unread: events after a number. */
export interface UnreadRange {
  readonly roomNid: number
  readonly after: number
}

/** Ranges of one query; unused ones are filled up, so that there is one statement to prepare. */
const PORTION = 32
const NO_RANGE: UnreadRange = { roomNid: -1, after: 0 }
const RANGES = `WITH b (room_nid, after_nid) AS (VALUES ${Array.from(
  { length: PORTION },
  () => '(CAST(? AS BIGINT), CAST(? AS BIGINT))',
).join(', ')})`

async function queryRanges<R extends Row>(
  db: Database,
  ranges: readonly UnreadRange[],
  sql: string,
  params: readonly ReadParam[],
): Promise<R[]> {
  const portions: Promise<R[]>[] = []
  for (let from = 0; from < ranges.length; from += PORTION) {
    const bounds: number[] = []
    for (let at = from; at < from + PORTION; at++) {
      const { roomNid, after } = ranges[at] ?? NO_RANGE
      bounds.push(roomNid, after)
    }
    portions.push(db.query<R>(`${RANGES} ${sql}`, [...bounds, ...params]))
  }
  return (await Promise.all(portions)).flat()
}

/** Per room, how many events up to `upTo` count as unread by the default rules: from the index alone. */
export async function countNotifyingInRooms(
  db: Database,
  ranges: readonly UnreadRange[],
  upTo: number,
): Promise<Map<number, number>> {
  const rows = await queryRanges<{ room_nid: number; n: number }>(
    db,
    ranges,
    `SELECT b.room_nid, (SELECT count(*) FROM events e
       WHERE e.room_nid = b.room_nid AND e.nid > b.after_nid AND e.nid <= ? AND ${COUNTED}) AS n
     FROM b WHERE b.room_nid >= 0`,
    [upTo],
  )
  return new Map(rows.map(({ room_nid: roomNid, n }) => [roomNid, n]))
}

export interface ThreadEventRow extends Row {
  room_nid: number
  /** Id of the thread's root. */
  thread_id: string
  event_nid: number
}

/** Those of them that are in threads. */
export function listThreadEvents(
  db: Database,
  ranges: readonly UnreadRange[],
  upTo: number,
): Promise<ThreadEventRow[]> {
  return queryRanges<ThreadEventRow>(
    db,
    ranges,
    `SELECT r.room_nid, r.parent_event_id AS thread_id, r.event_nid
     FROM b JOIN relations r ON r.room_nid = b.room_nid AND r.rel_type = 'm.thread'
       AND r.event_nid > b.after_nid AND r.event_nid <= ?
     JOIN events e ON e.nid = r.event_nid WHERE ${COUNTED}`,
    [upTo],
  )
}

export interface MentionRow extends Row {
  room_nid: number
  event_nid: number
  /** Empty: the event itself has to be looked at. */
  user_id: string
  /** Empty outside threads. */
  thread_id: string
  notifies: number
}

/** Events that mention a user, or may. */
export function listMentions(
  db: Database,
  ranges: readonly UnreadRange[],
  upTo: number,
  userId: string,
): Promise<MentionRow[]> {
  return queryRanges<MentionRow>(
    db,
    ranges,
    `SELECT m.room_nid, m.event_nid, m.user_id, m.thread_id, m.notifies
     FROM b JOIN mentions m ON m.room_nid = b.room_nid AND m.event_nid > b.after_nid AND m.event_nid <= ?
     WHERE m.user_id = ? OR m.user_id = ''`,
    [upTo, userId],
  )
}

/** A user of ours has spoken, or come in (`threadId` empty): what was there before counts as read. */
export function setSentPosition(userId: string, roomNid: number, threadId: string, nid: WriteValue): Step {
  return { into: SENT_POSITIONS, values: [userId, roomNid, threadId, nid] }
}

/** An event mentions a user. @param mention the columns, where `eventNid` may be known only at commit */
export function insertMention(mention: {
  readonly roomNid: number
  readonly eventNid: WriteValue
  readonly userId: string
  readonly threadId: string
  readonly notifies: boolean
}): Step {
  const { roomNid, eventNid, userId, threadId, notifies } = mention
  return { into: MENTIONS, values: [roomNid, eventNid, userId, threadId, notifies ? 1 : 0] }
}

/** A redacted event mentions nobody any more. */
export function deleteMentions(roomNid: number, eventNid: number): Step {
  return { sql: 'DELETE FROM mentions WHERE room_nid = ? AND event_nid = ?', params: [roomNid, eventNid] }
}

/** Which events of a room are looked at for one user: see `CountMode` of the homeserver. */
export interface CandidateRange {
  readonly roomNid: number
  readonly userId: string
  readonly mode: 'default' | 'mentions' | 'evaluate'
  /** Exclusive, both. */
  readonly after: number
  readonly before: number
  readonly newestFirst: boolean
  readonly limit: number
}

/** Numbers of events of a room that a user may have to be told of, from the indexes alone. */
export async function listCandidates(db: Database, range: CandidateRange): Promise<number[]> {
  const { roomNid, userId, mode, after, before, newestFirst, limit } = range
  const order = newestFirst ? 'DESC' : 'ASC'
  const events = `SELECT nid FROM events e WHERE room_nid = ? AND nid > ? AND nid < ?
    AND ${mode === 'evaluate' ? '(e.flags & 7) = 0' : COUNTED} ORDER BY nid ${order} LIMIT ?`
  const mentions = `SELECT event_nid AS nid FROM mentions WHERE room_nid = ? AND event_nid > ? AND event_nid < ?
    AND (user_id = ? OR user_id = '') ORDER BY event_nid ${order} LIMIT ?`
  const place = [roomNid, after, before]
  const [plain, mentioned] = await Promise.all([
    mode === 'mentions' ? [] : db.query<{ nid: number }>(events, [...place, limit]),
    mode === 'evaluate' ? [] : db.query<{ nid: number }>(mentions, [...place, userId, limit]),
  ])
  const nids = [...new Set([...plain, ...mentioned].map(({ nid }) => nid))]
  return nids.sort((a, b) => (newestFirst ? b - a : a - b)).slice(0, limit)
}

/** When the user last came into some rooms: numbers of events, by room. */
export async function listComings(
  db: Database,
  userId: string,
  roomNids: readonly number[],
): Promise<Map<number, number>> {
  const rows = await db.query<{ room_nid: number; event_nid: number }>(
    "SELECT room_nid, event_nid FROM sent_positions WHERE user_id = ? AND thread_id = '' AND room_nid IN (?int[])",
    [userId, roomNids],
  )
  return new Map(rows.map(({ room_nid: roomNid, event_nid: nid }) => [roomNid, nid]))
}
