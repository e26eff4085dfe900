import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const OVERRIDES: TableShape = {
  name: 'rate_limit_overrides',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'per_second', type: 'int' },
    { name: 'burst', type: 'int' },
  ],
  onConflict: { key: ['user_id'], action: 'replace' },
}

/** How much one user may send, as an administrator decided. `perSecond` 0: nothing of theirs is limited. */
export interface RateLimitOverride {
  readonly perSecond: number
  readonly burst: number
}

export async function findRateLimitOverride(
  db: Database,
  userId: string,
): Promise<RateLimitOverride | undefined> {
  const sql = 'SELECT per_second, burst FROM rate_limit_overrides WHERE user_id = ?'
  const [row] = await db.query<Row & { per_second: number; burst: number }>(sql, [userId])
  return row === undefined ? undefined : { perSecond: row.per_second, burst: row.burst }
}

export function setRateLimitOverride(userId: string, { perSecond, burst }: RateLimitOverride): Step {
  return { into: OVERRIDES, values: [userId, perSecond, burst] }
}

export function deleteRateLimitOverride(userId: string): Statement {
  return { sql: 'DELETE FROM rate_limit_overrides WHERE user_id = ?', params: [userId] }
}
