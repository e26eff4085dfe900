import type { Database, Row, Statement, Step, TableShape, WriteValue } from '../db/database.ts'

export const TO_DEVICE: TableShape = {
  name: 'to_device',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'position', type: 'int' },
    { name: 'json', type: 'text' },
  ],
}

/** Messages of one device in (after, upTo], oldest first, at most `limit`. */
export async function listToDevice(
  db: Database,
  userId: string,
  deviceId: string,
  range: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<{ position: number; json: string }[]> {
  return db.query<{ position: number; json: string }>(
    `SELECT position, json FROM to_device
     WHERE user_id = ? AND device_id = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?`,
    [userId, deviceId, range.after, range.upTo, range.limit],
  )
}

export function insertToDevice(userId: string, deviceId: string, position: WriteValue, json: string): Step {
  return { into: TO_DEVICE, values: [userId, deviceId, position, json] }
}

/** Removes what a device has acknowledged. */
export function deleteToDevice(userId: string, deviceId: string, upTo: number): Step {
  return {
    sql: 'DELETE FROM to_device WHERE user_id = ? AND device_id = ? AND position <= ?',
    params: [userId, deviceId, upTo],
  }
}

export interface ToDeviceRow extends Row {
  user_id: string
  device_id: string
  position: number
  json: string
}

/** Messages by their positions, as many as are still there, in order. */
export function findToDevice(db: Database, positions: readonly number[]): Promise<ToDeviceRow[]> {
  return db.query<ToDeviceRow>(
    'SELECT user_id, device_id, position, json FROM to_device WHERE position IN (?int[]) ORDER BY position',
    [positions],
  )
}

/** Whom messages in (after, upTo] are for, oldest first, at most `limit`: the tables' form of the log's entries. */
export function listToDeviceTargets(
  db: Database,
  after: number,
  upTo: number,
  limit: number,
): Promise<{ user_id: string; device_id: string; position: number }[]> {
  return db.queryLarge(
    `SELECT user_id, device_id, position FROM to_device WHERE position > ? AND position <= ?
     ORDER BY position LIMIT ?`,
    [after, upTo, limit],
  )
}

/** Removes the message at a position. */
export function deleteToDeviceAt(position: number): Statement {
  return { sql: 'DELETE FROM to_device WHERE position = ?', params: [position] }
}
