import type { Database, Row, Statement, TableShape, WriteValue } from '../db/database.ts'

/** Another server in a room, as long as it is or was there. */
export interface RoomServerRow extends Row {
  room_nid: number
  server_name: string
  joined: number
  from_nid: number
  until_nid: number
}

/** For rooms that come whole (a join of ours); single changes are `serverCameIn` and `serverWentOut`. */
export const ROOM_SERVERS: TableShape = {
  name: 'room_servers',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'server_name', type: 'text' },
    { name: 'joined', type: 'int' },
    { name: 'from_nid', type: 'int' },
    { name: 'until_nid', type: 'int' },
  ],
  onConflict: { key: ['room_nid', 'server_name'], action: 'replace' },
}

/** A user of the server has joined the room. @param nid of the event that says so */
export function serverCameIn(roomNid: number, serverName: string, nid: WriteValue): Statement {
  return {
    sql: `INSERT INTO room_servers (room_nid, server_name, joined, from_nid, until_nid) VALUES (?, ?, 1, ?, 0)
       ON CONFLICT (room_nid, server_name) DO UPDATE SET
         joined = room_servers.joined + 1,
         from_nid = CASE WHEN room_servers.joined = 0 THEN excluded.from_nid ELSE room_servers.from_nid END,
         until_nid = 0`,
    params: [roomNid, serverName, nid],
  }
}

/** A user of the server is not joined any more. @param nid of the event that says so */
export function serverWentOut(roomNid: number, serverName: string, nid: WriteValue): Statement {
  return {
    sql: `UPDATE room_servers SET joined = joined - 1,
         until_nid = CASE WHEN joined = 1 THEN ? ELSE until_nid END
       WHERE room_nid = ? AND server_name = ? AND joined > 0`,
    params: [nid, roomNid, serverName],
  }
}

/** The event by which a server's first user came or its last one left has another number now. */
export function renumberServer(
  roomNid: number,
  serverName: string,
  before: number,
  after: WriteValue,
): Statement {
  return {
    sql: `UPDATE room_servers SET
         from_nid = CASE WHEN from_nid = ? THEN ? ELSE from_nid END,
         until_nid = CASE WHEN until_nid = ? THEN ? ELSE until_nid END
       WHERE room_nid = ? AND server_name = ?`,
    params: [before, after, before, after, roomNid, serverName],
  }
}

/** Every other server that is or was in a room. */
export function listRoomServers(db: Database, roomNid: number): Promise<RoomServerRow[]> {
  return db.queryLarge<RoomServerRow>(
    'SELECT room_nid, server_name, joined, from_nid, until_nid FROM room_servers WHERE room_nid = ?',
    [roomNid],
  )
}

/** The rows of some of them. */
export function listSomeRoomServers(
  db: Database,
  roomNid: number,
  serverNames: readonly string[],
): Promise<RoomServerRow[]> {
  return db.query<RoomServerRow>(
    `SELECT room_nid, server_name, joined, from_nid, until_nid FROM room_servers
     WHERE room_nid = ? AND server_name IN (?text[])`,
    [roomNid, serverNames],
  )
}

/** Other servers with joined users in any of the rooms, now; at most `limit`. */
export async function listServersOfRooms(
  db: Database,
  roomNids: readonly number[],
  limit: number,
): Promise<string[]> {
  if (roomNids.length === 0) return []
  const rows = await db.queryLarge<{ server_name: string }>(
    'SELECT DISTINCT server_name FROM room_servers WHERE joined > 0 AND room_nid IN (?int[]) LIMIT ?',
    [roomNids, limit],
  )
  return rows.map((row) => row.server_name)
}

/** Whether a server has joined users in a room, now. */
export async function isServerInRoom(db: Database, roomNid: number, serverName: string): Promise<boolean> {
  const rows = await db.query(
    'SELECT 1 AS one FROM room_servers WHERE room_nid = ? AND server_name = ? AND joined > 0',
    [roomNid, serverName],
  )
  return rows.length > 0
}
/** Other servers that are in a room now, those with the most users first, at most `limit`. */
export async function listServersInRoom(db: Database, roomNid: number, limit: number): Promise<string[]> {
  const rows = await db.query<{ server_name: string }>(
    `SELECT server_name FROM room_servers WHERE room_nid = ? AND joined > 0
     ORDER BY joined DESC, server_name LIMIT ?`,
    [roomNid, limit],
  )
  return rows.map((row) => row.server_name)
}

/** Everything of a room goes, because it comes anew as a whole. */
export function deleteRoomServers(roomNid: number): Statement {
  return { sql: 'DELETE FROM room_servers WHERE room_nid = ?', params: [roomNid] }
}
