import type { Database, Row, Step, TableShape } from '../db/database.ts'

const ONE_TIME_KEYS: TableShape = {
  name: 'one_time_keys',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'algorithm', type: 'text' },
    { name: 'key_id', type: 'text' },
    { name: 'uploaded_ts', type: 'int' },
    { name: 'json', type: 'text' },
  ],
}

export interface OneTimeKeyRow extends Row {
  algorithm: string
  key_id: string
  json: string
}

export interface FallbackKeyRow extends OneTimeKeyRow {
  is_used: number
}

/** Unclaimed one-time keys of a device, by algorithm. */
export async function countOneTimeKeys(
  db: Database,
  userId: string,
  deviceId: string,
): Promise<Map<string, number>> {
  const rows = await db.query<{ algorithm: string; n: number }>(
    'SELECT algorithm, count(*) AS n FROM one_time_keys WHERE user_id = ? AND device_id = ? GROUP BY algorithm',
    [userId, deviceId],
  )
  return new Map(rows.map((row) => [row.algorithm, row.n]))
}

/** A device's one-time keys that have one of the names, whatever their algorithm. */
export function findOneTimeKeys(
  db: Database,
  userId: string,
  deviceId: string,
  keyIds: readonly string[],
): Promise<OneTimeKeyRow[]> {
  return db.query<OneTimeKeyRow>(
    `SELECT algorithm, key_id, json FROM one_time_keys
     WHERE user_id = ? AND device_id = ? AND key_id IN (?text[])`,
    [userId, deviceId, keyIds],
  )
}

export function listFallbackKeys(db: Database, userId: string, deviceId: string): Promise<FallbackKeyRow[]> {
  return db.query<FallbackKeyRow>(
    `SELECT algorithm, key_id, json, is_used FROM fallback_keys
     WHERE user_id = ? AND device_id = ? ORDER BY algorithm`,
    [userId, deviceId],
  )
}

/** Takes the oldest one-time key of an algorithm and removes it, in one statement; returns `key_id` and `json`. */
export function claimOneTimeKey(userId: string, deviceId: string, algorithm: string): Step {
  return {
    sql: `DELETE FROM one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND key_id =
      (SELECT key_id FROM one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ?
       ORDER BY uploaded_ts, key_id LIMIT 1) RETURNING key_id, json`,
    params: [userId, deviceId, algorithm, userId, deviceId, algorithm],
    returning: true,
  }
}

/** Hands out the fallback key of an algorithm and notes that it was used; returns `key_id` and `json`. */
export function useFallbackKey(userId: string, deviceId: string, algorithm: string): Step {
  return {
    sql: `UPDATE fallback_keys SET is_used = 1 WHERE user_id = ? AND device_id = ? AND algorithm = ?
      RETURNING key_id, json`,
    params: [userId, deviceId, algorithm],
    returning: true,
  }
}

/** Refused (`conflict`) when the device has a key of that name by now. */
export function insertOneTimeKey(
  device: { readonly userId: string; readonly deviceId: string },
  key: OneTimeKeyRow,
  uploadedTs: number,
): Step {
  return {
    into: ONE_TIME_KEYS,
    values: [device.userId, device.deviceId, key.algorithm, key.key_id, uploadedTs, key.json],
  }
}

/** One key per algorithm: a new one is unused, the same one again stays what it was. */
export function setFallbackKey(
  device: { readonly userId: string; readonly deviceId: string },
  key: OneTimeKeyRow,
): Step {
  return {
    sql: `INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, json, is_used) VALUES (?, ?, ?, ?, ?, 0)
      ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET
        is_used = CASE WHEN fallback_keys.key_id = excluded.key_id AND fallback_keys.json = excluded.json
          THEN fallback_keys.is_used ELSE 0 END,
        key_id = excluded.key_id, json = excluded.json`,
    params: [device.userId, device.deviceId, key.algorithm, key.key_id, key.json],
  }
}
