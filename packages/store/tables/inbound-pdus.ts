import type { Database, Row, Statement, TableShape } from '../db/database.ts'

/** A PDU that was acknowledged to its sender and waits for events that have to be fetched first. */
export interface InboundPduRow extends Row {
  room_id: string
  event_id: string
  origin: string
  depth: number
  json: Uint8Array
  received_ts: number
  attempts: number
  /** When what it refers to is asked for next. */
  due_ts: number
}

const COLUMNS = 'room_id, event_id, origin, depth, json, received_ts, attempts, due_ts'

export const INBOUND_PDUS: TableShape = {
  name: 'inbound_pdus',
  columns: [
    { name: 'room_id', type: 'text' },
    { name: 'event_id', type: 'text' },
    { name: 'origin', type: 'text' },
    { name: 'depth', type: 'int' },
    { name: 'json', type: 'bytes' },
    { name: 'received_ts', type: 'int' },
    { name: 'attempts', type: 'int' },
    { name: 'due_ts', type: 'int' },
  ],
  onConflict: { key: ['room_id', 'event_id'], action: 'ignore' },
}

/** What waits for a room: what is due first, then parents before children as far as their senders are honest. */
export function listInboundPdus(db: Database, roomId: string, limit: number): Promise<InboundPduRow[]> {
  return db.query<InboundPduRow>(
    `SELECT ${COLUMNS} FROM inbound_pdus WHERE room_id = ? ORDER BY due_ts, depth, event_id LIMIT ?`,
    [roomId, limit],
  )
}

/** Rooms for which anything waits: what is taken up again after a start. */
export async function listInboundRooms(db: Database): Promise<string[]> {
  // Mostly nothing does, and a large read would start a thread of its own only to find that out.
  if ((await db.query('SELECT 1 AS one FROM inbound_pdus LIMIT 1', [])).length === 0) return []
  const rows = await db.queryLarge<{ room_id: string }>('SELECT DISTINCT room_id FROM inbound_pdus', [])
  return rows.map((row) => row.room_id)
}

/** How many wait for a room: what a stranger may make us keep is bounded by it. */
export async function countInboundPdus(db: Database, roomId: string): Promise<number> {
  const rows = await db.query<{ count: number }>(
    'SELECT COUNT(*) AS count FROM inbound_pdus WHERE room_id = ?',
    [roomId],
  )
  return Number(rows[0]?.count ?? 0)
}

/** How many wait for each of the rooms with the most, and for all rooms together. */
export async function countWaiting(
  db: Pick<Database, 'query' | 'queryLarge'>,
  limit: number,
): Promise<{
  readonly rooms: readonly { readonly roomId: string; readonly count: number }[]
  readonly all: number
}> {
  // Mostly nothing does, and a large read would start a thread of its own only to find that out.
  if ((await db.query('SELECT 1 AS one FROM inbound_pdus LIMIT 1', [])).length === 0)
    return { rooms: [], all: 0 }
  const rows = await db.queryLarge<{ room_id: string; n: number }>(
    'SELECT room_id, count(*) AS n FROM inbound_pdus GROUP BY room_id ORDER BY 2 DESC, 1 LIMIT ?',
    [limit],
  )
  const [total] = await db.queryLarge<{ n: number }>('SELECT count(*) AS n FROM inbound_pdus', [])
  const rooms = rows.map((row) => ({ roomId: row.room_id, count: Number(row.n) }))
  return { rooms, all: Number(total?.n ?? 0) }
}

/** It is part of the room now, or was given up. */
export function deleteInboundPdu(roomId: string, eventId: string): Statement {
  return {
    sql: 'DELETE FROM inbound_pdus WHERE room_id = ? AND event_id = ?',
    params: [roomId, eventId],
  }
}

/** One more attempt came to nothing; the next one is made at `dueTs`. */
export function countAttempt(roomId: string, eventId: string, dueTs: number): Statement {
  return {
    sql: 'UPDATE inbound_pdus SET attempts = attempts + 1, due_ts = ? WHERE room_id = ? AND event_id = ?',
    params: [dueTs, roomId, eventId],
  }
}

/** How many wait for a room because of one server. */
export async function countInboundOfOrigin(db: Database, roomId: string, origin: string): Promise<number> {
  const rows = await db.query<{ count: number }>(
    'SELECT COUNT(*) AS count FROM inbound_pdus WHERE room_id = ? AND origin = ?',
    [roomId, origin],
  )
  return Number(rows[0]?.count ?? 0)
}
