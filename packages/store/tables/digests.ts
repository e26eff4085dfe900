import type { Database, Row, Statement } from '../db/database.ts'

/** When what was missed by e-mail is looked at next. */
export interface DigestTurnRow extends Row {
  pusher_nid: number
  due_ts: number
  revision: number
  failures: number
}

const TURN = 'pusher_nid, due_ts, revision, failures'

/** Something was written into the queue of a pusher: it is looked at by `dueTs`, or before. */
export function expectDigest(pusherNid: number, dueTs: number): Statement {
  return {
    sql: `INSERT INTO digest_turns (pusher_nid, due_ts, revision, failures) VALUES (?, ?, 1, 0)
     ON CONFLICT (pusher_nid) DO UPDATE SET revision = digest_turns.revision + 1,
       due_ts = CASE WHEN excluded.due_ts < digest_turns.due_ts AND digest_turns.failures = 0
         THEN excluded.due_ts ELSE digest_turns.due_ts END`,
    params: [pusherNid, dueTs],
  }
}

/** The turn that is due the longest, those of `except` left out. */
export async function findDueDigest(
  db: Database,
  now: number,
  except: readonly number[],
): Promise<DigestTurnRow | undefined> {
  const rows = await db.query<DigestTurnRow>(
    `SELECT ${TURN} FROM digest_turns WHERE due_ts <= ? AND pusher_nid NOT IN (?int[])
     ORDER BY due_ts, pusher_nid LIMIT 1`,
    [now, except],
  )
  return rows[0]
}

/** When the next turn is that was not due at a time. */
export async function findNextDigest(db: Database, after: number): Promise<number | undefined> {
  const sql = 'SELECT min(due_ts) AS due FROM digest_turns WHERE due_ts > ?'
  return (await db.query<{ due: number | null }>(sql, [after]))[0]?.due ?? undefined
}

export async function findDigestTurn(db: Database, pusherNid: number): Promise<DigestTurnRow | undefined> {
  const sql = `SELECT ${TURN} FROM digest_turns WHERE pusher_nid = ?`
  return (await db.query<DigestTurnRow>(sql, [pusherNid]))[0]
}

/**
 * A turn is over. The next is at `dueTs` (undefined: there is nothing to wait for); no later than `early` where
 * something was written into the queue since the turn was read.
 */
export function endDigestTurn(
  { pusher_nid: nid, revision }: DigestTurnRow,
  dueTs: number | undefined,
  early: number,
): Statement[] {
  const again: Statement = {
    sql: 'UPDATE digest_turns SET due_ts = ?, failures = 0 WHERE pusher_nid = ? AND revision <> ?',
    params: [Math.min(dueTs ?? early, early), nid, revision],
  }
  const params = [nid, revision]
  if (dueTs === undefined)
    return [{ sql: 'DELETE FROM digest_turns WHERE pusher_nid = ? AND revision = ?', params }, again]
  const next = 'UPDATE digest_turns SET due_ts = ?, failures = 0 WHERE pusher_nid = ? AND revision = ?'
  return [{ sql: next, params: [dueTs, ...params] }, again]
}

/** The mail server refused it: the same again later. */
export function postponeDigest(pusherNid: number, dueTs: number, failures: number): Statement {
  return {
    sql: 'UPDATE digest_turns SET due_ts = ?, failures = ? WHERE pusher_nid = ?',
    params: [dueTs, failures, pusherNid],
  }
}

/** What somebody was told of a room; columns as in the schema. */
export interface DigestRoomRow extends Row {
  pusher_nid: number
  room_nid: number
  missed_nid: number
  missed_ts: number
  told_nid: number
  told_ts: number
  pause_ms: number
}

export function listDigestRooms(
  db: Database,
  pusherNid: number,
  roomNids: readonly number[],
): Promise<DigestRoomRow[]> {
  return db.query<DigestRoomRow>(
    `SELECT pusher_nid, room_nid, missed_nid, missed_ts, told_nid, told_ts, pause_ms FROM digest_rooms
     WHERE pusher_nid = ? AND room_nid IN (?int[])`,
    [pusherNid, roomNids],
  )
}

export function setDigestRoom(row: DigestRoomRow): Statement {
  return {
    sql: `INSERT INTO digest_rooms (pusher_nid, room_nid, missed_nid, missed_ts, told_nid, told_ts, pause_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (pusher_nid, room_nid) DO UPDATE SET missed_nid = excluded.missed_nid,
       missed_ts = excluded.missed_ts, told_nid = excluded.told_nid, told_ts = excluded.told_ts,
       pause_ms = excluded.pause_ms`,
    params: [
      row.pusher_nid,
      row.room_nid,
      row.missed_nid,
      row.missed_ts,
      row.told_nid,
      row.told_ts,
      row.pause_ms,
    ],
  }
}

export function deleteDigestRoom(pusherNid: number, roomNid: number): Statement {
  return {
    sql: 'DELETE FROM digest_rooms WHERE pusher_nid = ? AND room_nid = ?',
    params: [pusherNid, roomNid],
  }
}

/** What is known of a purged room. */
export function deleteDigestsOfRoom(roomNid: number): Statement {
  return { sql: 'DELETE FROM digest_rooms WHERE room_nid = ?', params: [roomNid] }
}

/** How many people wait for a mail, and of these those whose last one was refused. */
export async function countDigestTurns(
  db: Pick<Database, 'queryLarge'>,
): Promise<{ waiting: number; failing: number }> {
  const rows = await db.queryLarge<{ n: number; failing: number }>(
    'SELECT count(*) AS n, coalesce(sum(CASE WHEN failures > 0 THEN 1 ELSE 0 END), 0) AS failing FROM digest_turns',
    [],
  )
  const [{ n, failing } = { n: 0, failing: 0 }] = rows
  return { waiting: Number(n), failing: Number(failing) }
}
