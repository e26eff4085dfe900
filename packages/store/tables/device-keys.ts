import type { Database, Row, Step, TableShape } from '../db/database.ts'
import { queryForUsers } from './query-for-users.ts'

export const DEVICE_KEYS: TableShape = {
  name: 'device_keys',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'json', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'device_id'], action: 'replace' },
}

export interface DeviceKeysRow extends Row {
  user_id: string
  device_id: string
  /** Canonical JSON, as uploaded but without `unsigned`. */
  json: string
  /** Null when the device has no row in `devices`, empty when it has no name. */
  display_name: string | null
}

/** Identity keys of all devices of several users, with the names of the devices. One query. */
export function listDeviceKeys(db: Database, userIds: readonly string[]): Promise<DeviceKeysRow[]> {
  return queryForUsers(
    db,
    `SELECT k.user_id, k.device_id, k.json, d.display_name FROM device_keys k
     LEFT JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id
     WHERE k.user_id IN (?text[]) ORDER BY k.user_id, k.device_id`,
    userIds,
  )
}

/** Identity keys of one device as canonical JSON, if it has published any. */
export async function findDeviceKeys(
  db: Database,
  userId: string,
  deviceId: string,
): Promise<string | undefined> {
  const sql = 'SELECT json FROM device_keys WHERE user_id = ? AND device_id = ?'
  return (await db.query<{ json: string }>(sql, [userId, deviceId]))[0]?.json
}

export function setDeviceKeys(userId: string, deviceId: string, json: string): Step {
  return { into: DEVICE_KEYS, values: [userId, deviceId, json] }
}

/** The devices of several users, as pairs. One query. */
export function listDeviceIds(
  db: Database,
  userIds: readonly string[],
): Promise<{ user_id: string; device_id: string }[]> {
  return queryForUsers(
    db,
    'SELECT user_id, device_id FROM devices WHERE user_id IN (?text[]) ORDER BY user_id, device_id',
    userIds,
  )
}

const OF_DEVICE = [
  'device_keys',
  'one_time_keys',
  'fallback_keys',
  'to_device',
  'sliding_connections',
  'appservice_key_counts',
  'dehydrated_devices',
]
const OF_USER = [...OF_DEVICE, 'cross_signing_keys', 'key_signatures', 'key_backups', 'key_backup_sessions']

/** Everything that ends with a device: what it published, what was on the way to it, what it was told, signatures on its keys. */
export function deleteOfDevice(userId: string, deviceId: string): Step[] {
  const params = [userId, deviceId]
  const steps = OF_DEVICE.map((table) => ({
    sql: `DELETE FROM ${table} WHERE user_id = ? AND device_id = ?`,
    params,
  }))
  return [...steps, { sql: 'DELETE FROM key_signatures WHERE user_id = ? AND target = ?', params }]
}

/** All that a user of ours has here for encryption, when the account is erased. */
export function deleteEncryptionOfUser(userId: string): Step[] {
  const steps = OF_USER.map((table) => ({ sql: `DELETE FROM ${table} WHERE user_id = ?`, params: [userId] }))
  return [...steps, { sql: 'DELETE FROM key_signatures WHERE signer = ?', params: [userId] }]
}
