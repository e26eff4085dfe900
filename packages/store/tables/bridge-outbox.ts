import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_OUTBOX: TableShape = {
  name: 'bridge_outbox',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'lane', type: 'text' },
    { name: 'portal_nid', type: 'int' },
    { name: 'room_id', type: 'text' },
    { name: 'event_id', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'payload', type: 'text' },
    { name: 'state', type: 'text' },
    { name: 'parts', type: 'text' },
    { name: 'part', type: 'int' },
    { name: 'reason', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
}

export type OutboxState = 'ready' | 'attempting' | 'uncertain' | 'refused'

/** An operation on its way. */
export interface OutboxRecord {
  readonly nid: number
  readonly lane: string
  /** 0: the hub's own task. */
  readonly portalNid: number
  readonly roomId: string
  readonly eventId: string
  readonly kind: string
  /** JSON; empty once it is over. */
  readonly payload: string
  readonly state: OutboxState
  /** JSON array of what goes over the wire; empty until rendered. */
  readonly parts: string
  readonly part: number
  readonly reason: string
  readonly createdTs: number
}

type OutboxRow = {
  nid: number
  lane: string
  portal_nid: number
  room_id: string
  event_id: string
  kind: string
  payload: string
  state: OutboxState
  parts: string
  part: number
  reason: string
  created_ts: number
}

function fromRow(row: OutboxRow): OutboxRecord {
  const { portal_nid, room_id, event_id, created_ts, ...same } = row
  return { ...same, portalNid: portal_nid, roomId: room_id, eventId: event_id, createdTs: created_ts }
}

export function insertOperation(
  operation: Pick<
    OutboxRecord,
    'nid' | 'lane' | 'portalNid' | 'roomId' | 'eventId' | 'kind' | 'payload' | 'createdTs'
  >,
): Step {
  const { nid, lane, portalNid, roomId, eventId, kind, payload, createdTs } = operation
  return {
    into: BRIDGE_OUTBOX,
    values: [nid, lane, portalNid, roomId, eventId, kind, payload, 'ready', '', 0, '', createdTs],
  }
}

/** The first operation of a lane behind `after` that is not over, or undefined. */
export async function findNextOperation(
  db: Database,
  lane: string,
  after: number,
): Promise<OutboxRecord | undefined> {
  const rows = await db.query<OutboxRow>(
    "SELECT * FROM bridge_outbox WHERE lane = ? AND state IN ('attempting', 'ready') AND nid > ? " +
      'ORDER BY nid LIMIT 1',
    [lane, after],
  )
  return rows[0] === undefined ? undefined : fromRow(rows[0])
}

/** Lanes with something to do. */
export async function listBusyLanes(db: Database): Promise<string[]> {
  const rows = await db.queryLarge<{ lane: string }>(
    "SELECT DISTINCT lane FROM bridge_outbox WHERE state IN ('attempting', 'ready')",
    [],
  )
  return rows.map((row) => row.lane)
}

/** What waits in a lane, seen as a whole: how many, and the first and the last of them. Undefined where nothing does. */
export async function findWaiting(
  db: Database,
  lane: string,
): Promise<
  { readonly count: number; readonly first: OutboxRecord; readonly last: OutboxRecord } | undefined
> {
  const [found] = await db.query<{ count: number; first: number | null; last: number | null }>(
    "SELECT COUNT(*) AS count, MIN(nid) AS first, MAX(nid) AS last FROM bridge_outbox WHERE lane = ? AND state = 'ready'",
    [lane],
  )
  if (found === undefined || found.first === null || found.last === null) return undefined
  const sql = 'SELECT * FROM bridge_outbox WHERE nid IN (?, ?) ORDER BY nid'
  const rows = await db.query<OutboxRow>(sql, [found.first, found.last])
  const [first, last = first] = rows.map(fromRow)
  return first === undefined || last === undefined ? undefined : { count: found.count, first, last }
}

/** Numbers of operations by state, of one lane. */
export async function countOperations(db: Database, lane: string): Promise<Map<OutboxState, number>> {
  const rows = await db.query<{ state: OutboxState; count: number }>(
    'SELECT state, COUNT(*) AS count FROM bridge_outbox WHERE lane = ? GROUP BY state',
    [lane],
  )
  return new Map(rows.map((row) => [row.state, row.count]))
}

/** Marks a part as under way, before its first byte leaves. Refused (`precondition`) when the operation is gone. */
export function attemptPart(nid: number, parts: string, part: number): Step {
  const sql = "UPDATE bridge_outbox SET state = 'attempting', parts = ?, part = ? WHERE nid = ?"
  return { sql, params: [parts, part, nid], expectRows: 1 }
}

/** The part was not sent: not a byte of it left. */
export function rewindOperation(nid: number, part: number): Step {
  return { sql: "UPDATE bridge_outbox SET state = 'ready', part = ? WHERE nid = ?", params: [part, nid] }
}

/** It is over, not as wished; what it said is forgotten. */
export function endOperation(nid: number, state: 'uncertain' | 'refused', reason: string): Step {
  const sql = "UPDATE bridge_outbox SET state = ?, reason = ?, payload = '', parts = '' WHERE nid = ?"
  return { sql, params: [state, reason, nid] }
}

export function deleteOperation(nid: number): Step {
  return { sql: 'DELETE FROM bridge_outbox WHERE nid = ?', params: [nid] }
}

/** Drops what an event would say, where nothing of it has left. */
export function deleteUnsent(eventId: string): Step {
  return { sql: "DELETE FROM bridge_outbox WHERE event_id = ? AND state = 'ready'", params: [eventId] }
}

/** Drops what waits in a lane up to an operation, itself included. */
export function deleteWaitingUpTo(lane: string, nid: number): Step {
  return { sql: 'DELETE FROM bridge_outbox WHERE lane = ? AND nid <= ?', params: [lane, nid] }
}

/** Drops everything of a lane, whatever its state. */
export function deleteLane(lane: string): Step {
  return { sql: 'DELETE FROM bridge_outbox WHERE lane = ?', params: [lane] }
}

export function deleteEndedBefore(ts: number): Step {
  return {
    sql: "DELETE FROM bridge_outbox WHERE state IN ('uncertain', 'refused') AND created_ts < ?",
    params: [ts],
  }
}
