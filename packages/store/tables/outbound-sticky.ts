import type { Database, Row, Statement } from '../db/database.ts'

/** A room of which a server has not got sticky events of ours. */
export interface OwedStickyRow extends Row {
  room_nid: number
  from_position: number
  end_position: number
}

/** A server is to be sent our sticky events of a room from a position on and before another, and what it was owed already. */
export function oweSticky(serverName: string, roomNid: number, from: number, end: number): Statement {
  return {
    sql: `INSERT INTO outbound_sticky (server_name, room_nid, from_position, end_position) VALUES (?, ?, ?, ?)
     ON CONFLICT (server_name, room_nid) DO UPDATE SET
       from_position = CASE WHEN excluded.from_position < outbound_sticky.from_position
         THEN excluded.from_position ELSE outbound_sticky.from_position END,
       end_position = CASE WHEN excluded.end_position > outbound_sticky.end_position
         THEN excluded.end_position ELSE outbound_sticky.end_position END`,
    params: [serverName, roomNid, from, end],
  }
}

export function listOwedSticky(db: Database, serverName: string, limit: number): Promise<OwedStickyRow[]> {
  return db.query<OwedStickyRow>(
    'SELECT room_nid, from_position, end_position FROM outbound_sticky WHERE server_name = ? ORDER BY room_nid LIMIT ?',
    [serverName, limit],
  )
}

/** Those before a position are in a transaction now. Refused when more was owed meanwhile. */
export function advanceOwed(serverName: string, row: OwedStickyRow, from: number): Statement {
  return {
    sql: `UPDATE outbound_sticky SET from_position = ?
     WHERE server_name = ? AND room_nid = ? AND from_position = ? AND end_position = ?`,
    params: [from, serverName, row.room_nid, row.from_position, row.end_position],
    expectRows: 1,
  }
}

/** All of them are. Refused when more was owed meanwhile. */
export function deleteOwed(serverName: string, row: OwedStickyRow): Statement {
  return {
    sql: `DELETE FROM outbound_sticky
     WHERE server_name = ? AND room_nid = ? AND from_position = ? AND end_position = ?`,
    params: [serverName, row.room_nid, row.from_position, row.end_position],
    expectRows: 1,
  }
}

/** Of rooms in which nothing is sticky any more. */
export function forgetOwedSticky(): Statement {
  return {
    sql: `DELETE FROM outbound_sticky WHERE NOT EXISTS
     (SELECT 1 FROM sticky_events s WHERE s.room_nid = outbound_sticky.room_nid)`,
    params: [],
  }
}
