import type { Database, Step, TableShape, WriteValue } from '../db/database.ts'

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
