import type { Database, Row } from '../db/database.ts'

/** Numbers of all state keys of a room but its members': what a client that loads members lazily is told. */
export async function listNonMemberKeys(db: Database, roomNid: number): Promise<number[]> {
  const rows = await db.query<{ key_nid: number }>(
    `SELECT key_nid FROM state_keys WHERE room_nid = ? AND type < 'm.room.member'
     UNION ALL SELECT key_nid FROM state_keys WHERE room_nid = ? AND type > 'm.room.member'`,
    [roomNid, roomNid],
  )
  return rows.map((row) => row.key_nid)
}

/** Numbers of the state keys of a room's members, past ones too. */
export async function listMemberKeys(db: Database, roomNid: number): Promise<number[]> {
  const rows = await db.queryLarge<{ key_nid: number }>(
    `SELECT key_nid FROM state_keys WHERE room_nid = ? AND type = 'm.room.member'`,
    [roomNid],
  )
  return rows.map((row) => row.key_nid)
}

/** A state event of a room by its number, and what permits it. */
export interface AuthEdgesRow extends Row {
  state_nid: number
  event_id: string
  flags: number
  /** Numbers of state events (see `rooms/auth-nids.ts`); null where they are only in the event. */
  auth: Uint8Array | null
}

/** The auth edges of a room's state events from a number on, in order: no event is read. */
export function listAuthEdges(db: Database, roomNid: number, after: number): Promise<AuthEdgesRow[]> {
  return db.queryLarge<AuthEdgesRow>(
    `SELECT s.state_nid, e.event_id, e.flags, s.auth FROM state_events s JOIN events e ON e.nid = s.event_nid
     WHERE s.room_nid = ? AND s.state_nid > ? ORDER BY s.state_nid`,
    [roomNid, after],
  )
}

/** State events by their numbers as they are stored, in no particular order: for answers that carry them as they are. */
export function listStatePdus(
  db: Database,
  roomNid: number,
  stateNids: readonly number[],
): Promise<{ json: Uint8Array | string }[]> {
  const sql = `SELECT UTF8(e.json) AS json FROM state_events s JOIN events e ON e.nid = s.event_nid
     WHERE s.room_nid = ? AND s.state_nid IN (?int[])`
  return db[stateNids.length > 500 ? 'queryLarge' : 'query'](sql, [roomNid, stateNids])
}

/** Numbers of the state keys of a server's members in a room, past ones too, with the members. */
export async function listMemberKeysOfServer(
  db: Database,
  roomNid: number,
  serverName: string,
): Promise<number[]> {
  const rows = await db.queryLarge<{ key_nid: number; state_key: string }>(
    `SELECT key_nid, state_key FROM state_keys
     WHERE room_nid = ? AND type = 'm.room.member' AND state_key LIKE ? ORDER BY key_nid`,
    [roomNid, `%:${serverName}`],
  )
  // LIKE does not tell upper case from lower, and a localpart may hold a colon.
  const own = rows.filter(({ state_key: userId }) => userId.slice(userId.indexOf(':') + 1) === serverName)
  return own.map((row) => row.key_nid)
}

/** Numbers of the state keys of one type of a room, past ones too. */
export async function listKeysOfType(db: Database, roomNid: number, type: string): Promise<number[]> {
  const rows = await db.queryLarge<{ key_nid: number }>(
    'SELECT key_nid FROM state_keys WHERE room_nid = ? AND type = ?',
    [roomNid, type],
  )
  return rows.map((row) => row.key_nid)
}

/** Those of several rooms that have ever had a state event of this type with an empty state key. */
export async function listRoomsWithKey(
  db: Database,
  roomNids: readonly number[],
  type: string,
): Promise<number[]> {
  const rows = await db.queryLarge<{ room_nid: number }>(
    "SELECT room_nid FROM state_keys WHERE room_nid IN (?int[]) AND type = ? AND state_key = ''",
    [roomNids, type],
  )
  return rows.map((row) => row.room_nid)
}

/** A state key of a room with its number. */
export interface StateKeyRow extends Row {
  key_nid: number
  type: string
  state_key: string
}

/** The state keys of a room that have one of these types, past ones too. One query. */
export function listKeysOfTypes(
  db: Database,
  roomNid: number,
  types: readonly string[],
): Promise<StateKeyRow[]> {
  const sql = 'SELECT key_nid, type, state_key FROM state_keys WHERE room_nid = ? AND type IN (?text[])'
  // Only of members there are very many.
  return db[types.includes('m.room.member') ? 'queryLarge' : 'query']<StateKeyRow>(sql, [roomNid, types])
}

/** The state keys of a room that are one of these texts, of whatever type. Reads all keys of the room. */
export function listKeysNamed(
  db: Database,
  roomNid: number,
  stateKeys: readonly string[],
): Promise<StateKeyRow[]> {
  return db.queryLarge<StateKeyRow>(
    'SELECT key_nid, type, state_key FROM state_keys WHERE room_nid = ? AND state_key IN (?text[])',
    [roomNid, stateKeys],
  )
}
