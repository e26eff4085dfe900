import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

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

const COLUMNS = 'user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip'

function toDevice(row: Row): DeviceRecord {
  return {
    userId: String(row['user_id']),
    deviceId: String(row['device_id']),
    displayName: String(row['display_name']),
    createdTs: Number(row['created_ts']),
    lastSeenTs: Number(row['last_seen_ts']),
    lastSeenIp: String(row['last_seen_ip']),
  }
}

export async function findDevice(
  db: Database,
  userId: string,
  deviceId: string,
): Promise<DeviceRecord | undefined> {
  const sql = `SELECT ${COLUMNS} FROM devices WHERE user_id = ? AND device_id = ?`
  const rows = await db.query(sql, [userId, deviceId])
  return rows[0] === undefined ? undefined : toDevice(rows[0])
}

/** Every device of a user, by id. */
export async function listDevices(db: Database, userId: string): Promise<DeviceRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM devices WHERE user_id = ? ORDER BY device_id`
  return (await db.query(sql, [userId])).map(toDevice)
}

export function insertDevice(device: DeviceRecord): Step {
  const { userId, deviceId, displayName, createdTs, lastSeenTs, lastSeenIp } = device
  return { into: DEVICES, values: [userId, deviceId, displayName, createdTs, lastSeenTs, lastSeenIp] }
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
