import type { Database, Step, TableShape } from '../db/database.ts'

const PUSH_RULES: TableShape = {
  name: 'push_rules',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'changes', type: 'text' },
    { name: 'position', type: 'int' },
  ],
}

/** What a user changed about their rules, as JSON text, and the log position at which they did; or undefined. */
export async function findPushRules(
  db: Database,
  userId: string,
): Promise<{ changes: string; position: number } | undefined> {
  const rows = await db.query<{ changes: string; position: number }>(
    'SELECT changes, position FROM push_rules WHERE user_id = ?',
    [userId],
  )
  return rows[0]
}

/**
 * Writes a user's changes; refused unless they are still as they were read.
 * @param entry index of the log entry in the write
 * @param before position at which they were read; undefined when there were none
 */
export function changePushRules(
  userId: string,
  changes: string,
  entry: number,
  before: number | undefined,
): Step {
  const position = { position: entry }
  if (before === undefined) return { into: PUSH_RULES, values: [userId, changes, position] }
  return {
    sql: 'UPDATE push_rules SET changes = ?, position = ? WHERE user_id = ? AND position = ?',
    params: [changes, position, userId, before],
    expectRows: 1,
  }
}
