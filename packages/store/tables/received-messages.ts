import type { Database, Step, TableShape } from '../db/database.ts'

const RECEIVED_MESSAGES: TableShape = {
  name: 'received_messages',
  columns: [
    { name: 'origin', type: 'text' },
    { name: 'message_id', type: 'text' },
    { name: 'received_ts', type: 'int' },
  ],
}

/** Notes a message of another server; refused (`conflict`) when it has come before. */
export function noteReceivedMessage(origin: string, messageId: string, now: number): Step {
  return { into: RECEIVED_MESSAGES, values: [origin, messageId, now] }
}

/** Forgets ids from before a time, at most `limit`. @returns how many */
export async function forgetReceivedMessages(db: Database, before: number, limit: number): Promise<number> {
  const result = await db.commit({
    entries: [],
    steps: [
      {
        sql: `DELETE FROM received_messages WHERE (origin, message_id) IN (
          SELECT origin, message_id FROM received_messages WHERE received_ts < ? ORDER BY received_ts LIMIT ?)
          RETURNING 1 AS one`,
        params: [before, limit],
        returning: true,
      },
    ],
  })
  return result.ok ? (result.rows.get(0)?.length ?? 0) : 0
}

/** Servers of which more than `limit` ids are held, and of how many. */
export async function listOverfullOrigins(
  db: Database,
  limit: number,
): Promise<{ origin: string; count: number }[]> {
  return db.queryLarge<{ origin: string; count: number }>(
    `SELECT origin, count(*) AS count FROM received_messages GROUP BY origin HAVING count(*) > ?`,
    [limit],
  )
}

/** Forgets the oldest ids of one server. */
export function forgetOldestOf(origin: string, count: number): Step {
  return {
    sql: `DELETE FROM received_messages WHERE origin = ? AND message_id IN (
      SELECT message_id FROM received_messages WHERE origin = ? ORDER BY received_ts, message_id LIMIT ?)`,
    params: [origin, origin, count],
  }
}
