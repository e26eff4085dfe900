import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

/** Room number under which changes of devices are kept. */
export const DEVICES = 0

const SETS: TableShape = {
  name: 'outbound_sets',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'servers', type: 'text' },
  ],
}

const EVENTS: TableShape = {
  name: 'outbound_events',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'nid', type: 'int' },
    { name: 'set_nid', type: 'int' },
    { name: 'also', type: 'text' },
  ],
}

/** A set of servers under a number of its own. */
export function insertServerSet(nid: number, servers: readonly string[]): Step {
  return { into: SETS, values: [nid, JSON.stringify(servers)] }
}

/** The greatest number of a set. */
export async function findMaxServerSet(db: Database): Promise<number> {
  const rows = await db.query<{ n: number | null }>('SELECT max(nid) AS n FROM outbound_sets', [])
  return rows[0]?.n ?? 0
}

export async function findServerSets(
  db: Database,
  nids: readonly number[],
): Promise<Map<number, ReadonlySet<string>>> {
  const rows = await db.query<{ nid: number; servers: string }>(
    'SELECT nid, servers FROM outbound_sets WHERE nid IN (?int[])',
    [nids],
  )
  return new Map(rows.map((row) => [row.nid, new Set(JSON.parse(row.servers) as string[])]))
}

/** @param also a server beside the set, or empty */
export function insertOutboundEvent(roomNid: number, nid: number, setNid: number, also: string): Step {
  return { into: EVENTS, values: [roomNid, nid, setNid, also] }
}

export interface OutboundEventRow extends Row {
  nid: number
  set_nid: number
  also: string
}

/** Events of a room that any server shall have, from a number on, oldest first. */
export function listOutboundEvents(
  db: Database,
  roomNid: number,
  from: number,
  limit: number,
): Promise<OutboundEventRow[]> {
  return db.query<OutboundEventRow>(
    'SELECT nid, set_nid, also FROM outbound_events WHERE room_nid = ? AND nid >= ? ORDER BY nid LIMIT ?',
    [roomNid, from, limit],
  )
}

/** Whether a room has more than `count` such events. */
export async function hasMoreOutboundEvents(
  db: Database,
  roomNid: number,
  from: number,
  count: number,
): Promise<boolean> {
  const rows = await db.query(
    'SELECT nid FROM outbound_events WHERE room_nid = ? AND nid >= ? ORDER BY nid LIMIT 1 OFFSET ?',
    [roomNid, from, count],
  )
  return rows.length > 0
}

/** Number of the last such event; 0: there is none. */
export async function findLastOutboundEvent(db: Database, roomNid: number): Promise<number> {
  const rows = await db.query<{ nid: number | null }>(
    'SELECT max(nid) AS nid FROM outbound_events WHERE room_nid = ?',
    [roomNid],
  )
  return rows[0]?.nid ?? 0
}

/** A server has something to be sent from a room; where that is known already, only the revision grows. */
export function markUnsent(serverName: string, roomNid: number, nid: number, parted: boolean): Statement {
  return {
    sql: `INSERT INTO outbound_rooms (server_name, room_nid, from_nid, parted_nid, revision) VALUES (?, ?, ?, ?, 1)
     ON CONFLICT (server_name, room_nid) DO UPDATE SET revision = outbound_rooms.revision + 1,
       parted_nid = CASE WHEN excluded.parted_nid = 0 THEN outbound_rooms.parted_nid ELSE excluded.parted_nid END`,
    params: [serverName, roomNid, nid, parted ? nid : 0],
  }
}

/** A server has missed changes of devices since a position: they are sent again from there on. */
export function markDevicesUnsentSince(serverName: string, nid: number): Statement {
  return {
    sql: `INSERT INTO outbound_rooms (server_name, room_nid, from_nid, parted_nid, revision) VALUES (?, ?, ?, 0, 1)
     ON CONFLICT (server_name, room_nid) DO UPDATE SET revision = outbound_rooms.revision + 1,
       from_nid = CASE WHEN excluded.from_nid < outbound_rooms.from_nid THEN excluded.from_nid
         ELSE outbound_rooms.from_nid END`,
    params: [serverName, DEVICES, nid],
  }
}

export interface UnsentRoomRow extends Row {
  room_nid: number
  from_nid: number
  parted_nid: number
  revision: number
}

/** Rooms with something unsent for a server, the longest waiting first. */
export function listUnsentRooms(db: Database, serverName: string, limit: number): Promise<UnsentRoomRow[]> {
  return db.query<UnsentRoomRow>(
    `SELECT room_nid, from_nid, parted_nid, revision FROM outbound_rooms WHERE server_name = ?
     ORDER BY from_nid, room_nid LIMIT ?`,
    [serverName, limit],
  )
}

/** Everything of a room is in a transaction now; refused when something came since the row was read. */
export function deleteUnsent(serverName: string, row: UnsentRoomRow): Statement {
  return {
    sql: 'DELETE FROM outbound_rooms WHERE server_name = ? AND room_nid = ? AND revision = ?',
    params: [serverName, row.room_nid, row.revision],
    expectRows: 1,
  }
}

/** Everything of a room below `fromNid` is in a transaction now, whatever has come since above it. */
export function advanceUnsent(serverName: string, row: UnsentRoomRow, fromNid: number): Statement {
  return {
    sql: `UPDATE outbound_rooms SET from_nid = ?, parted_nid = CASE WHEN parted_nid < ? THEN 0 ELSE parted_nid END
     WHERE server_name = ? AND room_nid = ? AND from_nid = ?`,
    params: [fromNid, fromNid, serverName, row.room_nid, row.from_nid],
    expectRows: 1,
  }
}

/** Servers that something is to be sent to, by name after `after`. */
export async function listServersWithUnsent(db: Database, after: string, limit: number): Promise<string[]> {
  const rows = await db.queryLarge<{ server_name: string }>(
    `SELECT server_name FROM outbound_rooms WHERE server_name > ?
     UNION SELECT server_name FROM outbound_transactions WHERE server_name > ?
     UNION SELECT server_name FROM outbound_to_device WHERE server_name > ?
     UNION SELECT server_name FROM outbound_sticky WHERE server_name > ? ORDER BY 1 LIMIT ?`,
    [after, after, after, after, limit],
  )
  return rows.map((row) => row.server_name)
}

/**
 * Lets go of a room's events that no server waits for, and of all but the newest `keep`: who is that far behind is
 * sent the newest only.
 */
export function forgetOutboundEvents(roomNid: number, keep: number): Statement[] {
  return [
    {
      sql: `DELETE FROM outbound_events WHERE room_nid = ? AND nid < COALESCE(
         (SELECT min(r.from_nid) FROM outbound_rooms r WHERE r.room_nid = ?), 9007199254740991)`,
      params: [roomNid, roomNid],
    },
    {
      sql: `DELETE FROM outbound_events WHERE room_nid = ? AND nid <= COALESCE(
         (SELECT e.nid FROM outbound_events e WHERE e.room_nid = ? ORDER BY e.nid DESC LIMIT 1 OFFSET ?), -1)`,
      params: [roomNid, roomNid, keep],
    },
  ]
}

/** The same for all rooms, and the sets up to a number that nothing refers to. Before anything is dispatched. */
export function forgetAllOutboundEvents(maxSet: number): Statement[] {
  return [
    {
      sql: `DELETE FROM outbound_events WHERE NOT EXISTS
        (SELECT 1 FROM outbound_rooms r WHERE r.room_nid = outbound_events.room_nid)`,
      params: [],
    },
    forgetServerSets(maxSet),
  ]
}

/** Lets go of sets up to a number that no event refers to. */
export function forgetServerSets(maxSet: number): Statement {
  return {
    sql: `DELETE FROM outbound_sets WHERE nid <= ? AND nid NOT IN (SELECT set_nid FROM outbound_events)`,
    params: [maxSet],
  }
}

/** Of a purged room. */
export function deleteOutboundOfRoom(roomNid: number): Statement[] {
  return ['outbound_events', 'outbound_rooms', 'outbound_sticky'].map((table) => ({
    sql: `DELETE FROM ${table} WHERE room_nid = ?`,
    params: [roomNid],
  }))
}

export interface UnsentSummary extends Row {
  server_name: string
  rooms: number
  messages: number
  /** Wall clock of the transaction under way; 0: none. */
  created_ts: number
}

/** How many rooms have something unsent for each of the servers with the most, and for all servers together. */
export async function countUnsentRooms(
  db: Pick<Database, 'query' | 'queryLarge'>,
  limit: number,
): Promise<{
  readonly servers: readonly { readonly name: string; readonly rooms: number }[]
  readonly all: number
}> {
  // Mostly nothing does, and a large read would start a thread of its own only to find that out.
  if ((await db.query('SELECT 1 AS one FROM outbound_rooms LIMIT 1', [])).length === 0)
    return { servers: [], all: 0 }
  const rows = await db.queryLarge<{ server_name: string; n: number }>(
    'SELECT server_name, count(*) AS n FROM outbound_rooms GROUP BY server_name ORDER BY 2 DESC, 1 LIMIT ?',
    [limit],
  )
  const [total] = await db.queryLarge<{ n: number }>('SELECT count(*) AS n FROM outbound_rooms', [])
  return {
    servers: rows.map((row) => ({ name: row.server_name, rooms: Number(row.n) })),
    all: Number(total?.n ?? 0),
  }
}

/** What waits, by server, those with the most rooms first. */
export function summarizeUnsent(
  db: Database,
  serverName: string | undefined,
  limit: number,
): Promise<UnsentSummary[]> {
  const only = serverName === undefined ? '' : 'WHERE server_name = ?'
  const params = serverName === undefined ? [] : [serverName, serverName, serverName]
  return db.queryLarge<UnsentSummary>(
    `SELECT server_name, sum(rooms) AS rooms, sum(messages) AS messages, max(created_ts) AS created_ts FROM (
       SELECT server_name, count(*) AS rooms, 0 AS messages, 0 AS created_ts FROM outbound_rooms ${only} GROUP BY server_name
       UNION ALL SELECT server_name, 0, count(*), 0 FROM outbound_to_device ${only} GROUP BY server_name
       UNION ALL SELECT server_name, 0, 0, created_ts FROM outbound_transactions ${only}) AS parts
     GROUP BY server_name ORDER BY 2 DESC, 1 LIMIT ?`,
    [...params, limit],
  )
}
