import type { Database, Row, Statement, TableShape, WriteValue } from '../db/database.ts'

/** A room that was joined fast. */
export interface PartialRoomRow extends Row {
  room_nid: number
  room_id: string
  event_id: string
  event_nid: number
  servers: string
  members_known: number
  started_ts: number
  attempts: number
  /** Position in the log since when its members are all here; 0: they are not. */
  whole_at: number
  /** 1: its whole state judged events otherwise than they had been. */
  overturned: number
}

const COLUMNS =
  'room_nid, room_id, event_id, event_nid, servers, members_known, started_ts, attempts, whole_at, overturned'

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
    { name: 'whole_at', type: 'int' },
    { name: 'overturned', type: 'int' },
  ],
  onConflict: { key: ['room_nid'], action: 'replace' },
}

/** Every room that was joined fast, the oldest first: those that are still partial, and those that were. */
export function listPartialRooms(db: Database): Promise<PartialRoomRow[]> {
  return db.query<PartialRoomRow>(`SELECT ${COLUMNS} FROM partial_rooms ORDER BY started_ts`, [])
}

/** Rooms whose members have all come between two positions: above `after`, up to `upTo`. */
export async function listRoomsWhole(
  db: Database,
  after: number,
  upTo: number,
): Promise<{ readonly roomNid: number; readonly roomId: string; readonly position: number }[]> {
  const rows = await db.query<{ room_nid: number; room_id: string; whole_at: number }>(
    'SELECT room_nid, room_id, whole_at FROM partial_rooms WHERE whole_at > ? AND whole_at <= ?',
    [after, upTo],
  )
  return rows.map((row) => ({ roomNid: row.room_nid, roomId: row.room_id, position: row.whole_at }))
}

/** All members are here, since this position. @param overturned events are judged otherwise than they had been */
export function notePartialRoomWhole(roomNid: number, position: WriteValue, overturned: boolean): Statement {
  return {
    sql: 'UPDATE partial_rooms SET whole_at = ?, overturned = ? WHERE room_nid = ? AND whole_at = 0',
    params: [position, overturned ? 1 : 0, roomNid],
    expectRows: 1,
  }
}

/** One more attempt to get the members came to nothing. */
export function countPartialAttempt(roomNid: number): Statement {
  return { sql: 'UPDATE partial_rooms SET attempts = attempts + 1 WHERE room_nid = ?', params: [roomNid] }
}

/** Nobody of ours is in the room any more, or it was joined anew. */
export function deletePartialRoom(roomNid: number): Statement {
  return { sql: 'DELETE FROM partial_rooms WHERE room_nid = ?', params: [roomNid] }
}
