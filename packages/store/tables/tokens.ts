import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

export const ACCESS_TOKENS: TableShape = {
  name: 'access_tokens',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'token_hash', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'expires_ts', type: 'int' },
    { name: 'unconfirmed', type: 'text' },
  ],
}

export const REFRESH_TOKENS: TableShape = {
  name: 'refresh_tokens',
  columns: [
    { name: 'token_hash', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'is_spent', type: 'int' },
    { name: 'successor_hash', type: 'text' },
  ],
}

export interface NewAccessToken {
  readonly nid: number
  readonly tokenHash: string
  readonly userId: string
  readonly deviceId: string
  /** Milliseconds; 0: never. */
  readonly expiresTs: number
  /** Hash of the refresh token it was exchanged for, or empty. */
  readonly unconfirmed: string
}

/** What an access token stands for, with the standing of its account. */
export interface TokenOwner extends NewAccessToken {
  readonly isAdmin: boolean
  readonly isGuest: boolean
  readonly isLocked: boolean
  readonly isSuspended: boolean
  readonly isShadowBanned: boolean
}

export interface RefreshTokenRecord {
  readonly tokenHash: string
  readonly userId: string
  readonly deviceId: string
  readonly isSpent: boolean
  readonly successorHash: string
}

/** Whom an access token belongs to; undefined when nobody knows it or the account was deactivated. */
export async function findTokenOwner(db: Database, tokenHash: string): Promise<TokenOwner | undefined> {
  const rows = await db.query(
    `SELECT t.nid, t.user_id, t.device_id, t.expires_ts, t.unconfirmed,
      u.is_admin, u.is_guest, u.is_locked, u.is_suspended, u.is_shadow_banned
    FROM access_tokens t JOIN users u ON u.user_id = t.user_id
    WHERE t.token_hash = ? AND u.deactivated_ts = 0`,
    [tokenHash],
  )
  return rows[0] === undefined ? undefined : toOwner(tokenHash, rows[0])
}

function toOwner(tokenHash: string, row: Row): TokenOwner {
  return {
    tokenHash,
    nid: Number(row['nid']),
    userId: String(row['user_id']),
    deviceId: String(row['device_id']),
    expiresTs: Number(row['expires_ts']),
    unconfirmed: String(row['unconfirmed']),
    isAdmin: row['is_admin'] === 1,
    isGuest: row['is_guest'] === 1,
    isLocked: row['is_locked'] === 1,
    isSuspended: row['is_suspended'] === 1,
    isShadowBanned: row['is_shadow_banned'] === 1,
  }
}

export function insertAccessToken(token: NewAccessToken): Step {
  const { nid, tokenHash, userId, deviceId, expiresTs, unconfirmed } = token
  return { into: ACCESS_TOKENS, values: [nid, tokenHash, userId, deviceId, expiresTs, unconfirmed] }
}

/** An access token was used for the first time: what was exchanged for it is spent. */
export function confirmAccessToken(nid: number, refreshHash: string): Step[] {
  return [
    { sql: 'UPDATE refresh_tokens SET is_spent = 1 WHERE token_hash = ?', params: [refreshHash] },
    { sql: "UPDATE access_tokens SET unconfirmed = '' WHERE nid = ?", params: [nid] },
  ]
}

export async function findRefreshToken(
  db: Database,
  tokenHash: string,
): Promise<RefreshTokenRecord | undefined> {
  const rows = await db.query(
    'SELECT user_id, device_id, is_spent, successor_hash FROM refresh_tokens WHERE token_hash = ?',
    [tokenHash],
  )
  const row = rows[0]
  return row === undefined
    ? undefined
    : {
        tokenHash,
        userId: String(row['user_id']),
        deviceId: String(row['device_id']),
        isSpent: row['is_spent'] === 1,
        successorHash: String(row['successor_hash']),
      }
}

export function insertRefreshToken(
  token: Pick<RefreshTokenRecord, 'tokenHash' | 'userId' | 'deviceId'>,
  now: number,
): Step {
  return { into: REFRESH_TOKENS, values: [token.tokenHash, token.userId, token.deviceId, now, 0, ''] }
}

/**
 * Gives a refresh token its successor, as long as nobody else has used it since it was read; what it was
 * exchanged for before (an answer that got lost) is worth nothing any more, and its own predecessor is spent.
 */
export function exchangeRefreshToken(token: RefreshTokenRecord, successorHash: string): Step[] {
  const { tokenHash, userId, deviceId, successorHash: replaced } = token
  return [
    {
      sql: 'UPDATE refresh_tokens SET successor_hash = ? WHERE token_hash = ? AND is_spent = 0 AND successor_hash = ?',
      params: [successorHash, tokenHash, replaced],
      expectRows: 1,
    },
    { sql: 'UPDATE refresh_tokens SET is_spent = 1 WHERE token_hash = ?', params: [replaced] },
    {
      sql: 'UPDATE access_tokens SET expires_ts = 1 WHERE user_id = ? AND device_id = ? AND unconfirmed = ?',
      params: [userId, deviceId, tokenHash],
    },
    {
      sql: 'UPDATE refresh_tokens SET is_spent = 1 WHERE user_id = ? AND device_id = ? AND successor_hash = ?',
      params: [userId, deviceId, tokenHash],
    },
  ]
}

/** Removes what expired or was exchanged before `before`, of one device. */
export function deleteOldTokens(userId: string, deviceId: string, before: number): Step[] {
  return [
    {
      sql: 'DELETE FROM access_tokens WHERE user_id = ? AND device_id = ? AND expires_ts > 1 AND expires_ts < ?',
      params: [userId, deviceId, before],
    },
    {
      sql: 'DELETE FROM refresh_tokens WHERE user_id = ? AND device_id = ? AND is_spent = 1 AND created_ts < ?',
      params: [userId, deviceId, before],
    },
  ]
}

/** Makes every token of a device worthless, but lets its client know that it may log in again. */
export function expireTokens(userId: string, deviceId: string): Statement[] {
  return [
    {
      sql: 'UPDATE access_tokens SET expires_ts = 1 WHERE user_id = ? AND device_id = ?',
      params: [userId, deviceId],
    },
    {
      sql: 'UPDATE refresh_tokens SET is_spent = 1 WHERE user_id = ? AND device_id = ?',
      params: [userId, deviceId],
    },
  ]
}

/** Removes every token of a device. */
export function deleteTokens(userId: string, deviceId: string): Statement[] {
  return ['access_tokens', 'refresh_tokens'].map((table) => ({
    sql: `DELETE FROM ${table} WHERE user_id = ? AND device_id = ?`,
    params: [userId, deviceId],
  }))
}

/** Removes the tokens of every device of a user but one (empty: of all). */
export function deleteOtherTokens(userId: string, keptDeviceId: string): Statement[] {
  return ['access_tokens', 'refresh_tokens'].map((table) => ({
    sql: `DELETE FROM ${table} WHERE user_id = ? AND device_id <> ?`,
    params: [userId, keptDeviceId],
  }))
}
