import type { Database, Row, Step, TableShape } from '../db/database.ts'
import type { DeviceKeysRow } from './device-keys.ts'
import { queryForUsers } from './query-for-users.ts'

/** The kept copy of the devices of a user of another server. */
export interface RemoteListRow extends Row {
  user_id: string
  server_name: string
  /** The last update that is in it; −1: unknown. */
  stream_id: number
  is_stale: number
  retry_ts: number
  attempts: number
  fetched_ts: number
}

/** A copy that came without a number. */
export const UNKNOWN_STREAM = -1

const REMOTE_DEVICE_LISTS: TableShape = {
  name: 'remote_device_lists',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'server_name', type: 'text' },
    { name: 'stream_id', type: 'int' },
    { name: 'is_stale', type: 'int' },
    { name: 'retry_ts', type: 'int' },
    { name: 'attempts', type: 'int' },
    { name: 'fetched_ts', type: 'int' },
  ],
  onConflict: { key: ['user_id'], action: 'replace' },
}

const REMOTE_DEVICES: TableShape = {
  name: 'remote_devices',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'display_name', type: 'text' },
    { name: 'json', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'device_id'], action: 'replace' },
}

const COLUMNS = REMOTE_DEVICE_LISTS.columns.map(({ name }) => name).join(', ')

/** Which of several users have a copy here, stale or not. One query. */
export function listRemoteLists(db: Database, userIds: readonly string[]): Promise<RemoteListRow[]> {
  return queryForUsers(db, `SELECT ${COLUMNS} FROM remote_device_lists WHERE user_id IN (?text[])`, userIds)
}

/** Stale copies that are due, those that have waited longest first. */
export function listDueLists(db: Database, now: number, limit: number): Promise<RemoteListRow[]> {
  return db.query<RemoteListRow>(
    `SELECT ${COLUMNS} FROM remote_device_lists WHERE is_stale = 1 AND retry_ts <= ? ORDER BY retry_ts LIMIT ?`,
    [now, limit],
  )
}

/** When the next stale copy is due; undefined when none is stale. */
export async function findNextDue(db: Database): Promise<number | undefined> {
  const rows = await db.query<{ due: number | null }>(
    'SELECT min(retry_ts) AS due FROM remote_device_lists WHERE is_stale = 1',
    [],
  )
  return rows[0]?.due ?? undefined
}

/** Identity keys of all kept devices of several users, with their names. One query. */
export function listRemoteDevices(db: Database, userIds: readonly string[]): Promise<DeviceKeysRow[]> {
  return queryForUsers(
    db,
    `SELECT user_id, device_id, json, display_name FROM remote_devices
     WHERE user_id IN (?text[]) ORDER BY user_id, device_id`,
    userIds,
  )
}

/** How many devices of a user are kept. */
export async function countRemoteDevices(db: Database, userId: string): Promise<number> {
  const sql = 'SELECT count(*) AS n FROM remote_devices WHERE user_id = ?'
  return (await db.query<{ n: number }>(sql, [userId]))[0]?.n ?? 0
}

export function setRemoteList(row: RemoteListRow): Step {
  return { into: REMOTE_DEVICE_LISTS, values: REMOTE_DEVICE_LISTS.columns.map(({ name }) => row[name]!) }
}

/** The copy has an update more. */
export function advanceRemoteList(userId: string, streamId: number): Step {
  return {
    sql: 'UPDATE remote_device_lists SET stream_id = ? WHERE user_id = ?',
    params: [streamId, userId],
  }
}

/** The copy lacks something; it is fetched at `retryTs`. Nothing where there is none. */
export function markRemoteListStale(userId: string, retryTs: number): Step {
  return {
    sql: 'UPDATE remote_device_lists SET is_stale = 1, retry_ts = ? WHERE user_id = ? AND is_stale = 0',
    params: [retryTs, userId],
  }
}

/** Fetching a stale copy has failed once more. */
export function postponeRemoteList(userId: string, retryTs: number): Step {
  return {
    sql: 'UPDATE remote_device_lists SET retry_ts = ?, attempts = attempts + 1 WHERE user_id = ? AND is_stale = 1',
    params: [retryTs, userId],
  }
}

/** A server was heard from: its stale copies need not wait any longer. */
export function hastenRemoteLists(serverName: string, now: number): Step {
  return {
    sql: 'UPDATE remote_device_lists SET retry_ts = ? WHERE is_stale = 1 AND server_name = ? AND retry_ts > ?',
    params: [now, serverName, now],
  }
}

export function setRemoteDevice(device: DeviceKeysRow): Step {
  return {
    into: REMOTE_DEVICES,
    values: [device.user_id, device.device_id, device.display_name ?? '', device.json],
  }
}

export function deleteRemoteDevice(userId: string, deviceId: string): Step {
  return {
    sql: 'DELETE FROM remote_devices WHERE user_id = ? AND device_id = ?',
    params: [userId, deviceId],
  }
}

export function deleteRemoteDevices(userId: string): Step {
  return { sql: 'DELETE FROM remote_devices WHERE user_id = ?', params: [userId] }
}

/** Lets go of the copy, cross-signing keys and what ours signed of them included. */
export function deleteRemoteCopy(userId: string): Step[] {
  const tables = ['remote_device_lists', 'remote_devices', 'cross_signing_keys', 'key_signatures']
  return tables.map((table) => ({ sql: `DELETE FROM ${table} WHERE user_id = ?`, params: [userId] }))
}

const SHARES_A_ROOM = `EXISTS (SELECT 1 FROM memberships b
  WHERE b.room_nid = a.room_nid AND b.membership = 'join' AND b.is_local = 1)`

/** Those of several users who are joined to a room together with a user of ours, now. One query. */
export async function listSharingUsers(db: Database, userIds: readonly string[]): Promise<Set<string>> {
  const rows = await queryForUsers<{ user_id: string }>(
    db,
    `SELECT DISTINCT a.user_id FROM memberships a
     WHERE a.user_id IN (?text[]) AND a.membership = 'join' AND ${SHARES_A_ROOM}`,
    userIds,
  )
  return new Set(rows.map((row) => row.user_id))
}

/**
 * Those of several users who have been joined since before `position` to a room together with a user of ours,
 * other than `exceptRoomNid`.
 */
export async function listSteadilySharing(
  db: Database,
  userIds: readonly string[],
  position: number,
  exceptRoomNid: number,
): Promise<Set<string>> {
  const rows = await queryForUsers<{ user_id: string }>(
    db,
    `SELECT DISTINCT a.user_id FROM memberships a
     WHERE a.user_id IN (?text[]) AND a.membership = 'join' AND a.event_nid < ? AND a.room_nid <> ?
       AND ${SHARES_A_ROOM}`,
    userIds,
    position,
    exceptRoomNid,
  )
  return new Set(rows.map((row) => row.user_id))
}

/** Users with a copy here who are joined to a room. */
export async function listKeptMembers(db: Database, roomNid: number): Promise<string[]> {
  const rows = await db.queryLarge<{ user_id: string }>(
    `SELECT l.user_id FROM memberships a JOIN remote_device_lists l ON l.user_id = a.user_id
     WHERE a.room_nid = ? AND a.membership = 'join' AND a.is_local = 0`,
    [roomNid],
  )
  return rows.map((row) => row.user_id)
}

/** Users whose copy is kept although they share no room with anybody of ours. */
export async function listStrayCopies(db: Database): Promise<string[]> {
  const rows = await db.queryLarge<{ user_id: string }>(
    `SELECT l.user_id FROM remote_device_lists l WHERE NOT EXISTS (
       SELECT 1 FROM memberships a WHERE a.user_id = l.user_id AND a.membership = 'join' AND ${SHARES_A_ROOM})`,
    [],
  )
  return rows.map((row) => row.user_id)
}
