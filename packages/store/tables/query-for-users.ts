import type { Database, ReadParam, Row } from '../db/database.ts'

/** Users from which on a read may be long. */
const MANY = 100

/** A read about several users, the first parameter: off the calling thread when they are many. */
export function queryForUsers<R extends Row>(
  db: Database,
  sql: string,
  userIds: readonly string[],
  ...more: readonly ReadParam[]
): Promise<R[]> {
  const params = [userIds, ...more]
  return userIds.length > MANY ? db.queryLarge<R>(sql, params) : db.query<R>(sql, params)
}
