import type { Database, Row, Statement } from '../db/database.ts'

/** A state event as it is stored. */
export interface StateJsonRow extends Row {
  state_nid: number
  /** Text or its UTF-8, whichever the driver has at less cost. */
  json: Uint8Array | string
}

/** The stored JSON of state events of a room, by number, in no particular order. */
export function findStateJson(
  db: Database,
  roomNid: number,
  stateNids: readonly number[],
): Promise<StateJsonRow[]> {
  return db.queryLarge<StateJsonRow>(
    `SELECT s.state_nid, e.json FROM state_events s JOIN events e ON e.nid = s.event_nid
     WHERE s.room_nid = ? AND s.state_nid IN (?int[])`,
    [roomNid, stateNids],
  )
}

/** An event that is held already, as far as another writer of the same needs to know. */
export interface HeldEventRow extends Row {
  event_id: string
  nid: number
  room_nid: number
  state_nid: number
  flags: number
}

/** Those of these events that are held, as part of the graph or beside it. */
export function findHeldEvents(db: Database, eventIds: readonly string[]): Promise<HeldEventRow[]> {
  return db.queryLarge<HeldEventRow>(
    'SELECT event_id, nid, room_nid, state_nid, flags FROM events WHERE event_id IN (?text[])',
    [eventIds],
  )
}

/** Auth events that were not known when the event was kept. */
export function setAuthEdges(roomNid: number, stateNid: number, auth: Uint8Array): Statement {
  return {
    sql: 'UPDATE state_events SET auth = ? WHERE room_nid = ? AND state_nid = ?',
    params: [auth, roomNid, stateNid],
  }
}
