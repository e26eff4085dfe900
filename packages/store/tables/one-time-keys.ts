import type { Database, Row, Step, TableShape } from '../db/database.ts'

export const ONE_TIME_KEYS: TableShape = {
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

export const FALLBACK_KEYS: TableShape = {
  name: 'fallback_keys',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'algorithm', type: 'text' },
    { name: 'key_id', type: 'text' },
    { name: 'json', type: 'text' },
    { name: 'is_used', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'device_id', 'algorithm'], action: 'replace' },
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
