import type { Database, Row, Step, TableShape } from '../db/database.ts'

const KEY_BACKUP_SESSIONS: TableShape = {
  name: 'key_backup_sessions',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'version', type: 'int' },
    { name: 'room_id', type: 'text' },
    { name: 'session_id', type: 'text' },
    { name: 'first_message_index', type: 'int' },
    { name: 'forwarded_count', type: 'int' },
    { name: 'is_verified', type: 'int' },
    { name: 'session_data', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'version', 'room_id', 'session_id'], action: 'replace' },
}

export interface KeyBackupRow extends Row {
  version: number
  algorithm: string
  auth_data: string
  etag: number
  key_count: number
  is_deleted: number
}

/** Which of two keys for one session is the better one is decided by these. */
export interface SessionRank extends Row {
  room_id: string
  session_id: string
  first_message_index: number
  forwarded_count: number
  is_verified: number
}

export interface BackedUpSession extends SessionRank {
  /** JSON. */
  session_data: string
}

/** One user's backup of one version. */
export interface BackupId {
  readonly userId: string
  readonly version: number
}

const COLUMNS = 'version, algorithm, auth_data, etag, key_count, is_deleted'
const RANK = 'room_id, session_id, first_message_index, forwarded_count, is_verified'

/** The latest backup that was not deleted. */
export async function findCurrentBackup(db: Database, userId: string): Promise<KeyBackupRow | undefined> {
  const rows = await db.query<KeyBackupRow>(
    `SELECT ${COLUMNS} FROM key_backups WHERE user_id = ? AND is_deleted = 0 ORDER BY version DESC LIMIT 1`,
    [userId],
  )
  return rows[0]
}

/** A backup by version, deleted or not. */
export async function findBackup(
  db: Database,
  { userId, version }: BackupId,
): Promise<KeyBackupRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM key_backups WHERE user_id = ? AND version = ?`
  return (await db.query<KeyBackupRow>(sql, [userId, version]))[0]
}

/** How many backups, and how many keys in them, a user has. */
export async function countBackups(db: Database, userId: string): Promise<{ backups: number; keys: number }> {
  const rows = await db.query<{ backups: number; keys: number | null }>(
    `SELECT count(*) AS backups, CAST(sum(key_count) AS BIGINT) AS keys FROM key_backups
     WHERE user_id = ? AND is_deleted = 0`,
    [userId],
  )
  return { backups: rows[0]?.backups ?? 0, keys: rows[0]?.keys ?? 0 }
}

/** Makes the next version; returns `version`. */
export function insertBackup(userId: string, algorithm: string, authData: string): Step {
  return {
    sql: `INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, key_count, is_deleted)
      VALUES (?, (SELECT coalesce(max(version), 0) + 1 FROM key_backups WHERE user_id = ?), ?, ?, 0, 0, 0)
      RETURNING version`,
    params: [userId, userId, algorithm, authData],
    returning: true,
  }
}

export function setBackupAuthData({ userId, version }: BackupId, authData: string): Step {
  return {
    sql: 'UPDATE key_backups SET auth_data = ? WHERE user_id = ? AND version = ? AND is_deleted = 0',
    params: [authData, userId, version],
    expectRows: 1,
  }
}

export function markBackupDeleted({ userId, version }: BackupId): Step {
  return {
    sql: 'UPDATE key_backups SET is_deleted = 1, key_count = 0 WHERE user_id = ? AND version = ?',
    params: [userId, version],
  }
}

/** Counts a change of a backup's keys; refused when somebody else changed them meanwhile. */
export function advanceBackup({ userId, version }: BackupId, etag: number, addedKeys: number): Step {
  return {
    sql: `UPDATE key_backups SET etag = etag + 1, key_count = key_count + ?
      WHERE user_id = ? AND version = ? AND etag = ? AND is_deleted = 0`,
    params: [addedKeys, userId, version, etag],
    expectRows: 1,
  }
}

export function setBackedUpSession({ userId, version }: BackupId, session: BackedUpSession): Step {
  return {
    into: KEY_BACKUP_SESSIONS,
    values: [
      userId,
      version,
      session.room_id,
      session.session_id,
      session.first_message_index,
      session.forwarded_count,
      session.is_verified,
      session.session_data,
    ],
  }
}

/** What is known of some sessions of a room. */
export function findSessionRanks(
  db: Database,
  { userId, version }: BackupId,
  roomId: string,
  sessionIds: readonly string[],
): Promise<SessionRank[]> {
  return db.query<SessionRank>(
    `SELECT ${RANK} FROM key_backup_sessions
     WHERE user_id = ? AND version = ? AND room_id = ? AND session_id IN (?text[])`,
    [userId, version, roomId, sessionIds],
  )
}

export async function findBackedUpSession(
  db: Database,
  { userId, version }: BackupId,
  roomId: string,
  sessionId: string,
): Promise<BackedUpSession | undefined> {
  const rows = await db.query<BackedUpSession>(
    `SELECT ${RANK}, session_data FROM key_backup_sessions
     WHERE user_id = ? AND version = ? AND room_id = ? AND session_id = ?`,
    [userId, version, roomId, sessionId],
  )
  return rows[0]
}

/** A portion of a backup, or of one room of it, in order of room and session, after `from`. */
export function listBackedUpSessions(
  db: Database,
  { userId, version }: BackupId,
  range: { readonly from: SessionName; readonly roomId: string | undefined; readonly limit: number },
): Promise<BackedUpSession[]> {
  const { from, roomId, limit } = range
  const inRoom = roomId === undefined ? '' : 'AND room_id = ?'
  return db.queryLarge<BackedUpSession>(
    `SELECT ${RANK}, session_data FROM key_backup_sessions
     WHERE user_id = ? AND version = ? ${inRoom} AND (room_id, session_id) > (?, ?)
     ORDER BY room_id, session_id LIMIT ?`,
    [userId, version, ...(roomId === undefined ? [] : [roomId]), from.room_id, from.session_id, limit],
  )
}

type SessionName = Pick<SessionRank, 'room_id' | 'session_id'>

/** The names of the first sessions of a backup, of one room if it is given: what is deleted portion by portion. */
export function listSessionNames(
  db: Database,
  { userId, version }: BackupId,
  roomId: string | undefined,
  limit: number,
): Promise<SessionName[]> {
  const inRoom = roomId === undefined ? '' : 'AND room_id = ?'
  return db.queryLarge<{ room_id: string; session_id: string }>(
    `SELECT room_id, session_id FROM key_backup_sessions WHERE user_id = ? AND version = ? ${inRoom}
     ORDER BY room_id, session_id LIMIT ?`,
    [userId, version, ...(roomId === undefined ? [] : [roomId]), limit],
  )
}

/**
 * Removes the sessions up to and including `last`.
 * @param only of one room, and refused unless so many rows go
 */
export function deleteSessionsUpTo(
  { userId, version }: BackupId,
  last: SessionName,
  only: { readonly roomId?: string | undefined; readonly rows?: number } = {},
): Step {
  const inRoom = only.roomId === undefined ? '' : 'AND room_id = ?'
  return {
    sql: `DELETE FROM key_backup_sessions WHERE user_id = ? AND version = ? ${inRoom}
      AND (room_id, session_id) <= (?, ?)`,
    params: [
      userId,
      version,
      ...(only.roomId === undefined ? [] : [only.roomId]),
      last.room_id,
      last.session_id,
    ],
    ...(only.rows === undefined ? {} : { expectRows: only.rows }),
  }
}

export function deleteSession({ userId, version }: BackupId, roomId: string, sessionId: string): Step {
  return {
    sql: `DELETE FROM key_backup_sessions WHERE user_id = ? AND version = ? AND room_id = ? AND session_id = ?`,
    params: [userId, version, roomId, sessionId],
    expectRows: 1,
  }
}
