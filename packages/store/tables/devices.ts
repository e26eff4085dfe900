import type { Database, Row, SqlValue, Statement, Step, TableShape } from '../db/database.ts'

/** A device that exists keeps its name and its age. */
export const DEVICES: TableShape = {
  name: 'devices',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'display_name', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'last_seen_ts', type: 'int' },
    { name: 'last_seen_ip', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'device_id'], action: 'ignore' },
}

/** The same where there must be no such device yet. */
const NEW_DEVICES: TableShape = { name: DEVICES.name, columns: DEVICES.columns }

export interface DeviceRecord {
  readonly userId: string
  readonly deviceId: string
  /** Empty when it has none. */
  readonly displayName: string
  readonly createdTs: number
  /** Milliseconds, 0 and empty when it was never used. */
  readonly lastSeenTs: number
  readonly lastSeenIp: string
}

/** A device as it is stored. */
export interface StoredDevice extends DeviceRecord {
  /** Nobody is logged in on it, and nobody can be: it waits to be rehydrated. */
  readonly isDehydrated: boolean
}

const COLUMNS = `user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip,
  (SELECT count(*) FROM dehydrated_devices x
   WHERE x.user_id = devices.user_id AND x.device_id = devices.device_id) AS dehydrated`

function toDevice(row: Row): StoredDevice {
  return {
    userId: String(row['user_id']),
    deviceId: String(row['device_id']),
    displayName: String(row['display_name']),
    createdTs: Number(row['created_ts']),
    lastSeenTs: Number(row['last_seen_ts']),
    lastSeenIp: String(row['last_seen_ip']),
    isDehydrated: Number(row['dehydrated']) > 0,
  }
}

export async function findDevice(
  db: Database,
  userId: string,
  deviceId: string,
): Promise<StoredDevice | undefined> {
  const sql = `SELECT ${COLUMNS} FROM devices WHERE user_id = ? AND device_id = ?`
  const rows = await db.query(sql, [userId, deviceId])
  return rows[0] === undefined ? undefined : toDevice(rows[0])
}

/** Every device of a user, by id. */
export async function listDevices(db: Database, userId: string): Promise<StoredDevice[]> {
  const sql = `SELECT ${COLUMNS} FROM devices WHERE user_id = ? ORDER BY device_id`
  return (await db.query(sql, [userId])).map(toDevice)
}

export function insertDevice(device: DeviceRecord): Step {
  return { into: DEVICES, values: valuesOf(device) }
}

/** Refused (`conflict`) when the user has a device of that id. */
export function insertNewDevice(device: DeviceRecord): Step {
  return { into: NEW_DEVICES, values: valuesOf(device) }
}

function valuesOf(device: DeviceRecord): SqlValue[] {
  const { userId, deviceId, displayName, createdTs, lastSeenTs, lastSeenIp } = device
  return [userId, deviceId, displayName, createdTs, lastSeenTs, lastSeenIp]
}

/** Refused (`precondition`) when the user has no such device. */
export function renameDevice(userId: string, deviceId: string, displayName: string): Statement {
  return {
    sql: 'UPDATE devices SET display_name = ? WHERE user_id = ? AND device_id = ?',
    params: [displayName, userId, deviceId],
    expectRows: 1,
  }
}

export function touchDevice(userId: string, deviceId: string, ts: number, ip: string): Statement {
  return {
    sql: 'UPDATE devices SET last_seen_ts = ?, last_seen_ip = ? WHERE user_id = ? AND device_id = ?',
    params: [ts, ip, userId, deviceId],
  }
}

export function deleteDevice(userId: string, deviceId: string): Statement {
  return { sql: 'DELETE FROM devices WHERE user_id = ? AND device_id = ?', params: [userId, deviceId] }
}
