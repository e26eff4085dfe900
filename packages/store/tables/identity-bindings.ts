import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const BINDINGS: TableShape = {
  name: 'identity_bindings',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'medium', type: 'text' },
    { name: 'address', type: 'text' },
    { name: 'id_server', type: 'text' },
    { name: 'bound_ts', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'medium', 'address', 'id_server'], action: 'replace' },
}

/** An address of a user, and where it is published. */
export interface IdentityBinding {
  readonly userId: string
  readonly medium: string
  readonly address: string
  readonly idServer: string
}

interface BindingRow extends Row {
  medium: string
  address: string
  id_server: string
}

/** Every address of a user that is published anywhere. */
export async function listIdentityBindings(db: Database, userId: string): Promise<IdentityBinding[]> {
  const sql = `SELECT medium, address, id_server FROM identity_bindings WHERE user_id = ?
    ORDER BY medium, address, id_server`
  const rows = await db.query<BindingRow>(sql, [userId])
  return rows.map(({ medium, address, id_server: idServer }) => ({ userId, medium, address, idServer }))
}

/** Remembered once, however often it is bound. */
export function putIdentityBinding(
  { userId, medium, address, idServer }: IdentityBinding,
  boundTs: number,
): Step {
  return { into: BINDINGS, values: [userId, medium, address, idServer, boundTs] }
}

export function deleteIdentityBinding({ userId, medium, address, idServer }: IdentityBinding): Statement {
  return {
    sql: 'DELETE FROM identity_bindings WHERE user_id = ? AND medium = ? AND address = ? AND id_server = ?',
    params: [userId, medium, address, idServer],
  }
}

/** Of an account that ends. */
export function deleteIdentityBindings(userId: string): Statement {
  return { sql: 'DELETE FROM identity_bindings WHERE user_id = ?', params: [userId] }
}
