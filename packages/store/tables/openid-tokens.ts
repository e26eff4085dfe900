import type { Database, Step, TableShape } from '../db/database.ts'

const OPENID_TOKENS: TableShape = {
  name: 'openid_tokens',
  columns: [
    { name: 'token_hash', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'expires_ts', type: 'int' },
  ],
}

export function insertOpenIdToken(tokenHash: string, userId: string, expiresTs: number): Step {
  return { into: OPENID_TOKENS, values: [tokenHash, userId, expiresTs] }
}

/** Whose token it is; undefined when it is unknown, has expired, or the account is gone. */
export async function findOpenIdUser(
  db: Database,
  tokenHash: string,
  now: number,
): Promise<string | undefined> {
  const rows = await db.query(
    `SELECT t.user_id FROM openid_tokens t JOIN users u ON u.user_id = t.user_id
     WHERE t.token_hash = ? AND t.expires_ts > ? AND u.deactivated_ts = 0 AND u.is_locked = 0`,
    [tokenHash, now],
  )
  return rows[0] === undefined ? undefined : String(rows[0]['user_id'])
}

/** Forgets up to `limit` tokens that expired before `now`; answers how many. */
export async function deleteExpiredOpenIdTokens(db: Database, now: number, limit: number): Promise<number> {
  const result = await db.commit({
    entries: [],
    steps: [
      {
        sql: `DELETE FROM openid_tokens WHERE token_hash IN
          (SELECT token_hash FROM openid_tokens WHERE expires_ts <= ? ORDER BY expires_ts LIMIT ?)
          RETURNING 1 AS one`,
        params: [now, limit],
        returning: true,
      },
    ],
  })
  return result.ok ? (result.rows.get(0)?.length ?? 0) : 0
}
