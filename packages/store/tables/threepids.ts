import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const THREEPIDS: TableShape = {
  name: 'user_threepids',
  columns: [
    { name: 'medium', type: 'text' },
    { name: 'address', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'validated_ts', type: 'int' },
    { name: 'added_ts', type: 'int' },
  ],
}

/** What kind of address it is. https://spec.matrix.org/v1.19/appendices/#3pid-types */
export type Medium = 'email' | 'msisdn'

/** One row of `user_threepids`, columns as in the schema. */
export interface ThreepidRow extends Row {
  medium: Medium
  address: string
  user_id: string
  validated_ts: number
  added_ts: number
}

const COLUMNS = THREEPIDS.columns.map(({ name }) => name).join(', ')

/** Whose address it is. */
export async function findThreepidUser(
  db: Database,
  { medium, address }: Pick<ThreepidRow, 'medium' | 'address'>,
): Promise<string | undefined> {
  const sql = 'SELECT user_id FROM user_threepids WHERE medium = ? AND address = ?'
  return (await db.query<{ user_id: string }>(sql, [medium, address]))[0]?.user_id
}

export function listThreepids(db: Database, userId: string): Promise<ThreepidRow[]> {
  const sql = `SELECT ${COLUMNS} FROM user_threepids WHERE user_id = ? ORDER BY medium, address`
  return db.query<ThreepidRow>(sql, [userId])
}

/** Refused (`precondition`) when the address is somebody's already. */
export function insertThreepid(row: ThreepidRow): Step {
  return { into: THREEPIDS, values: THREEPIDS.columns.map(({ name }) => row[name]!) }
}

export function deleteThreepid(userId: string, medium: string, address: string): Statement {
  return {
    sql: 'DELETE FROM user_threepids WHERE user_id = ? AND medium = ? AND address = ?',
    params: [userId, medium, address],
  }
}

/** Of an account that ends. */
export function deleteThreepids(userId: string): Statement {
  return { sql: 'DELETE FROM user_threepids WHERE user_id = ?', params: [userId] }
}
