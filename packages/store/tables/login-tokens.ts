import type { Database, Statement, Step, TableShape } from '../db/database.ts'

const LOGIN_TOKENS: TableShape = {
  name: 'login_tokens',
  columns: [
    { name: 'token_hash', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'expires_ts', type: 'int' },
  ],
}

export function insertLoginToken(tokenHash: string, userId: string, expiresTs: number): Step {
  return { into: LOGIN_TOKENS, values: [tokenHash, userId, expiresTs] }
}

/** Whose token it is; undefined when it is unknown, was used, or has expired. */
export async function findLoginTokenUser(
  db: Database,
  tokenHash: string,
  now: number,
): Promise<string | undefined> {
  const rows = await db.query('SELECT user_id FROM login_tokens WHERE token_hash = ? AND expires_ts > ?', [
    tokenHash,
    now,
  ])
  return rows[0] === undefined ? undefined : String(rows[0]['user_id'])
}

/** Uses it up; refused (`precondition`) when somebody was faster. */
export function spendLoginToken(tokenHash: string): Statement {
  return { sql: 'DELETE FROM login_tokens WHERE token_hash = ?', params: [tokenHash], expectRows: 1 }
}

/** Forgets the tokens that expired before a time: there are few, since each takes a password. */
export function forgetExpiredLoginTokens(now: number): Statement {
  return { sql: 'DELETE FROM login_tokens WHERE expires_ts <= ?', params: [now] }
}

/** Of somebody whose password changed, or whose account ended. */
export function deleteLoginTokens(userId: string): Statement {
  return { sql: 'DELETE FROM login_tokens WHERE user_id = ?', params: [userId] }
}
