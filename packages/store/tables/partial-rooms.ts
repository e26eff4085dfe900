import type { Database, Row, Statement, TableShape } from '../db/database.ts'

/** A room that was joined fast and whose members are not all here yet. */
export interface PartialRoomRow extends Row {
  room_nid: number
  room_id: string
  event_id: string
  event_nid: number
  servers: string
  members_known: number
  started_ts: number
  attempts: number
}

const COLUMNS = 'room_nid, room_id, event_id, event_nid, servers, members_known, started_ts, attempts'

export const PARTIAL_ROOMS: TableShape = {
  name: 'partial_rooms',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'room_id', type: 'text' },
    { name: 'event_id', type: 'text' },
    { name: 'event_nid', type: 'int' },
    { name: 'servers', type: 'text' },
    { name: 'members_known', type: 'int' },
    { name: 'started_ts', type: 'int' },
    { name: 'attempts', type: 'int' },
  ],
  onConflict: { key: ['room_nid'], action: 'replace' },
}

/** Every room that is still partial, the oldest first. */
export function listPartialRooms(db: Database): Promise<PartialRoomRow[]> {
  return db.query<PartialRoomRow>(`SELECT ${COLUMNS} FROM partial_rooms ORDER BY started_ts`, [])
}

/** The room is whole, or gone. */
export function deletePartialRoom(roomNid: number): Statement {
  return { sql: 'DELETE FROM partial_rooms WHERE room_nid = ?', params: [roomNid] }
}
