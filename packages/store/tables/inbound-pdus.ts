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
}

const COLUMNS = 'room_id, event_id, origin, depth, json, received_ts, attempts'

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
  ],
  onConflict: { key: ['room_id', 'event_id'], action: 'ignore' },
}

/** What waits for a room because of one server, what was tried least first, parents before children as far as it is honest. */
export function listInboundPdus(
  db: Database,
  roomId: string,
  origin: string,
  limit: number,
): Promise<InboundPduRow[]> {
  return db.query<InboundPduRow>(
    `SELECT ${COLUMNS} FROM inbound_pdus WHERE room_id = ? AND origin = ? ORDER BY attempts, depth, event_id LIMIT ?`,
    [roomId, origin, limit],
  )
}

/** Rooms and servers because of which anything waits: what is taken up again after a start. */
export async function listInboundQueues(db: Database): Promise<{ roomId: string; origin: string }[]> {
  // Mostly nothing does, and a large read would start a thread of its own only to find that out.
  if ((await db.query('SELECT 1 AS one FROM inbound_pdus LIMIT 1', [])).length === 0) return []
  const rows = await db.queryLarge<{ room_id: string; origin: string }>(
    'SELECT DISTINCT room_id, origin FROM inbound_pdus',
    [],
  )
  return rows.map(({ room_id: roomId, origin }) => ({ roomId, origin }))
}

/** How many wait for a room, and of those because of one server: what a stranger may make us keep is bounded by it. */
export async function countInboundPdus(
  db: Database,
  roomId: string,
  origin: string,
): Promise<{ ofRoom: number; ofOrigin: number }> {
  const rows = await db.query<{ origin: string; count: number }>(
    'SELECT origin, COUNT(*) AS count FROM inbound_pdus WHERE room_id = ? GROUP BY origin',
    [roomId],
  )
  const counts = rows.map((row) => ({ origin: row.origin, count: Number(row.count) }))
  return {
    ofRoom: counts.reduce((sum, { count }) => sum + count, 0),
    ofOrigin: counts.find((row) => row.origin === origin)?.count ?? 0,
  }
}

/** It is part of the room now, or was given up. */
export function deleteInboundPdu(roomId: string, eventId: string): Statement {
  return {
    sql: 'DELETE FROM inbound_pdus WHERE room_id = ? AND event_id = ?',
    params: [roomId, eventId],
  }
}

/** One more attempt came to nothing. */
export function countAttempt(roomId: string, eventId: string): Statement {
  return {
    sql: 'UPDATE inbound_pdus SET attempts = attempts + 1 WHERE room_id = ? AND event_id = ?',
    params: [roomId, eventId],
  }
}
