import type { Database, Step, TableShape } from '../db/database.ts'

const FILTERS: TableShape = {
  name: 'filters',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'filter_id', type: 'text' },
    { name: 'definition', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'filter_id'], action: 'ignore' },
}

/** The definition of a user's filter as JSON text, or undefined. */
export async function findFilter(
  db: Database,
  userId: string,
  filterId: string,
): Promise<string | undefined> {
  const rows = await db.query<{ definition: string }>(
    'SELECT definition FROM filters WHERE user_id = ? AND filter_id = ?',
    [userId, filterId],
  )
  return rows[0]?.definition
}

/** How many filters a user has stored. */
export async function countFilters(db: Database, userId: string): Promise<number> {
  const rows = await db.query<{ n: number }>('SELECT count(*) AS n FROM filters WHERE user_id = ?', [userId])
  return rows[0]?.n ?? 0
}

/** Stores a filter; the same one again changes nothing. */
export function insertFilter(userId: string, filterId: string, definition: string): Step {
  return { into: FILTERS, values: [userId, filterId, definition] }
}
