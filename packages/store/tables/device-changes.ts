import type { Database, Row, Statement, WriteValue } from '../db/database.ts'

/** One device of a user of ours, or (without an id) the user's cross-signing keys, as they last changed. */
export interface DeviceChangeRow extends Row {
  user_id: string
  device_id: string
  position: number
  /** Position of the change of a device of this user before that one; 0: there was none. */
  previous: number
  deleted: number
}

/** Stands for the user's cross-signing keys. */
export const CROSS_SIGNING = ''

/**
 * Writes down that a device changed. Of several in one write each names the one before it as its predecessor,
 * even where both have the same position.
 */
export function setDeviceChange(
  userId: string,
  deviceId: string,
  position: WriteValue,
  deleted: boolean,
): Statement {
  return {
    sql: `INSERT INTO device_changes (user_id, device_id, position, previous, deleted) VALUES (?, ?, ?, COALESCE(
       (SELECT max(c.position) FROM device_changes c WHERE c.user_id = ? AND c.device_id <> ''), 0), ?)
     ON CONFLICT (user_id, device_id) DO UPDATE SET
       position = excluded.position, previous = excluded.previous, deleted = excluded.deleted`,
    params: [userId, deviceId, position, userId, deleted ? 1 : 0],
  }
}

/** A stretch of changes of anybody's devices. */
export interface DeviceChangeRange {
  readonly from: number
  readonly upTo: number
  /** Nothing came after it when it was read. */
  readonly isLast: boolean
}

/** The stretch from a position on that holds about `limit` changes, whose ever. */
export async function findDeviceChangeRange(
  db: Database,
  from: number,
  limit: number,
): Promise<DeviceChangeRange> {
  const rows = await db.query<{ position: number }>(
    'SELECT position FROM device_changes WHERE position >= ? ORDER BY position LIMIT ?',
    [from, limit + 1],
  )
  const last = rows[Math.min(rows.length, limit) - 1]?.position ?? from - 1
  return { from, upTo: last, isLast: rows.length <= limit }
}

/** Changes in a stretch, in order, of users who are in a room with somebody of the server now. */
export function listDeviceChangesFor(
  db: Database,
  serverName: string,
  { from, upTo }: DeviceChangeRange,
): Promise<DeviceChangeRow[]> {
  return db.query<DeviceChangeRow>(
    `SELECT c.user_id, c.device_id, c.position, c.previous, c.deleted FROM device_changes c
     WHERE c.position >= ? AND c.position <= ?
     AND EXISTS (SELECT 1 FROM memberships m JOIN room_servers s ON s.room_nid = m.room_nid
       WHERE m.user_id = c.user_id AND m.membership = 'join' AND s.server_name = ? AND s.joined > 0)
     ORDER BY c.position, c.previous, c.device_id`,
    [from, upTo, serverName],
  )
}

/** The position at which other servers know a user's devices: the `stream_id` of `GET /user/devices`. */
export async function findDeviceStreamId(db: Database, userId: string): Promise<number> {
  const rows = await db.query<{ position: number | null }>(
    `SELECT max(position) AS position FROM device_changes WHERE user_id = ? AND device_id <> ''`,
    [userId],
  )
  return rows[0]?.position ?? 0
}

/** The users whose devices changed in (after, upTo], each once: the tables' form of the log's entries. */
export function listDeviceChangeUsers(
  db: Database,
  after: number,
  upTo: number,
): Promise<{ user_id: string; position: number }[]> {
  return db.queryLarge(
    `SELECT user_id, max(position) AS position FROM device_changes
     WHERE position > ? AND position <= ? GROUP BY user_id ORDER BY 2`,
    [after, upTo],
  )
}
