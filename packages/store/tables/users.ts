import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

export const USERS: TableShape = {
  name: 'users',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'password_hash', type: 'text' },
    { name: 'is_admin', type: 'int' },
    { name: 'is_guest', type: 'int' },
    { name: 'appservice_id', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'deactivated_ts', type: 'int' },
    { name: 'is_erased', type: 'int' },
    { name: 'is_locked', type: 'int' },
    { name: 'is_suspended', type: 'int' },
    { name: 'terms_accepted', type: 'text' },
  ],
}

/** An account of this server. */
export interface UserRecord {
  readonly userId: string
  /** PHC form; empty for those who have no password. */
  readonly passwordHash: string
  readonly isAdmin: boolean
  readonly isGuest: boolean
  /** Empty unless an appservice registered the user. */
  readonly appserviceId: string
  readonly createdTs: number
  /** Milliseconds; 0 while the account is in use. */
  readonly deactivatedTs: number
  readonly isErased: boolean
  readonly isLocked: boolean
  readonly isSuspended: boolean
  /** What they say reaches nobody, and they are not told. */
  readonly isShadowBanned: boolean
}

export interface NewUser {
  readonly userId: string
  readonly passwordHash: string
  readonly isAdmin: boolean
  readonly isGuest?: boolean
  readonly appserviceId: string
  readonly createdTs: number
  /** JSON, or empty. */
  readonly termsAccepted: string
}

const COLUMNS =
  'user_id, password_hash, is_admin, is_guest, appservice_id, created_ts, deactivated_ts, is_erased, is_locked, is_suspended, is_shadow_banned'

function toUser(row: Row): UserRecord {
  return {
    userId: String(row['user_id']),
    passwordHash: String(row['password_hash']),
    isAdmin: row['is_admin'] === 1,
    isGuest: row['is_guest'] === 1,
    appserviceId: String(row['appservice_id']),
    createdTs: Number(row['created_ts']),
    deactivatedTs: Number(row['deactivated_ts']),
    isErased: row['is_erased'] === 1,
    isLocked: row['is_locked'] === 1,
    isSuspended: row['is_suspended'] === 1,
    isShadowBanned: row['is_shadow_banned'] === 1,
  }
}

export async function findUser(db: Database, userId: string): Promise<UserRecord | undefined> {
  const rows = await db.query(`SELECT ${COLUMNS} FROM users WHERE user_id = ?`, [userId])
  return rows[0] === undefined ? undefined : toUser(rows[0])
}

/** Accounts in the order of their ids, from behind `after` (empty: from the first), at most `limit`. */
export async function listUsers(db: Database, after: string, limit: number): Promise<UserRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?`
  return (await db.query(sql, [after, limit])).map(toUser)
}

/** Whether anybody has an account, other than by an appservice. */
export async function hasPeople(db: Database): Promise<boolean> {
  return (await db.query("SELECT 1 AS one FROM users WHERE appservice_id = '' LIMIT 1", [])).length > 0
}

/** Claims the user id; refused (`conflict`) when it is taken, also by a deactivated account. */
export function insertUser(user: NewUser): Step {
  const { userId, passwordHash, isAdmin, isGuest = false, appserviceId, createdTs, termsAccepted } = user
  return {
    into: USERS,
    values: [
      userId,
      passwordHash,
      isAdmin ? 1 : 0,
      isGuest ? 1 : 0,
      appserviceId,
      createdTs,
      0,
      0,
      0,
      0,
      termsAccepted,
    ],
  }
}

/**
 * Refuses the write unless the account is in use and, where given, has this password hash. An update that
 * changes nothing, because it waits for whoever is changing the account at this moment.
 */
export function requireActiveUser(userId: string, passwordHash?: string): Statement {
  const sql = 'UPDATE users SET deactivated_ts = 0 WHERE user_id = ? AND deactivated_ts = 0'
  return passwordHash === undefined
    ? { sql, params: [userId], expectRows: 1 }
    : { sql: `${sql} AND password_hash = ?`, params: [userId, passwordHash], expectRows: 1 }
}

/** Refused (`precondition`) for an account that does not exist or was deactivated. */
export function setPasswordHash(userId: string, passwordHash: string): Statement {
  return {
    sql: 'UPDATE users SET password_hash = ? WHERE user_id = ? AND deactivated_ts = 0',
    params: [passwordHash, userId],
    expectRows: 1,
  }
}

/** Puts a costlier hash of the same password in the place of an old one; does nothing when that has changed. */
export function replacePasswordHash(userId: string, before: string, after: string): Statement {
  return {
    sql: 'UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?',
    params: [after, userId, before],
  }
}

export type UserFlag = 'is_admin' | 'is_locked' | 'is_suspended' | 'is_shadow_banned'

/** Refused (`precondition`) for an account that does not exist or was deactivated. */
export function setUserFlag(userId: string, flag: UserFlag, value: boolean): Statement {
  return {
    sql: `UPDATE users SET ${flag} = ? WHERE user_id = ? AND deactivated_ts = 0`,
    params: [value ? 1 : 0, userId],
    expectRows: 1,
  }
}

/** Ends an account for good; refused (`precondition`) when that was done before. */
export function deactivateUser(userId: string, now: number, erase: boolean): Statement {
  return {
    sql: "UPDATE users SET deactivated_ts = ?, is_erased = ?, password_hash = '', is_admin = 0 WHERE user_id = ? AND deactivated_ts = 0",
    params: [now, erase ? 1 : 0, userId],
    expectRows: 1,
  }
}

/** Has an account that ended be erased after all; refused (`precondition`) when it is in use or was erased before. */
export function markErased(userId: string): Statement {
  return {
    sql: 'UPDATE users SET is_erased = 1 WHERE user_id = ? AND deactivated_ts > 0 AND is_erased = 0',
    params: [userId],
    expectRows: 1,
  }
}
