import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

export const REGISTRATION_TOKENS: TableShape = {
  name: 'registration_tokens',
  columns: [
    { name: 'token', type: 'text' },
    { name: 'uses_allowed', type: 'int' },
    { name: 'uses_completed', type: 'int' },
    { name: 'created_ts', type: 'int' },
    { name: 'expires_ts', type: 'int' },
    { name: 'makes_admin', type: 'int' },
  ],
}

export interface RegistrationToken {
  readonly token: string
  /** Undefined: any number. */
  readonly usesAllowed: number | undefined
  readonly usesCompleted: number
  readonly createdTs: number
  /** Milliseconds; undefined: never. */
  readonly expiresTs: number | undefined
  /** Whoever registers with it becomes an administrator. */
  readonly makesAdmin: boolean
}

const COLUMNS = 'token, uses_allowed, uses_completed, created_ts, expires_ts, makes_admin'

function toToken(row: Row): RegistrationToken {
  const [usesAllowed, expiresTs] = [Number(row['uses_allowed']), Number(row['expires_ts'])]
  return {
    token: String(row['token']),
    usesAllowed: usesAllowed === -1 ? undefined : usesAllowed,
    usesCompleted: Number(row['uses_completed']),
    createdTs: Number(row['created_ts']),
    expiresTs: expiresTs === 0 ? undefined : expiresTs,
    makesAdmin: row['makes_admin'] === 1,
  }
}

/** The token, used up and expired ones too. */
export async function findRegistrationToken(
  db: Database,
  token: string,
): Promise<RegistrationToken | undefined> {
  const rows = await db.query(`SELECT ${COLUMNS} FROM registration_tokens WHERE token = ?`, [token])
  return rows[0] === undefined ? undefined : toToken(rows[0])
}

/** All tokens, oldest first. */
export async function listRegistrationTokens(db: Database): Promise<RegistrationToken[]> {
  const sql = `SELECT ${COLUMNS} FROM registration_tokens ORDER BY created_ts, token`
  return (await db.query(sql, [])).map(toToken)
}

/** Whether somebody may register with it now. */
export function isUsable(token: RegistrationToken, now: number): boolean {
  const { usesAllowed, usesCompleted, expiresTs } = token
  return (
    (usesAllowed === undefined || usesCompleted < usesAllowed) && (expiresTs === undefined || now < expiresTs)
  )
}

/** Refused (`conflict`) when there is such a token. */
export function insertRegistrationToken(token: RegistrationToken): Step {
  const { usesAllowed = -1, usesCompleted, createdTs, expiresTs = 0, makesAdmin } = token
  return {
    into: REGISTRATION_TOKENS,
    values: [token.token, usesAllowed, usesCompleted, createdTs, expiresTs, makesAdmin ? 1 : 0],
  }
}

/** Counts one use; refused (`precondition`) when the token is used up, expired or gone. */
export function takeRegistrationToken(token: string, now: number): Statement {
  return {
    sql: `UPDATE registration_tokens SET uses_completed = uses_completed + 1 WHERE token = ?
      AND (uses_allowed = -1 OR uses_completed < uses_allowed) AND (expires_ts = 0 OR expires_ts > ?)`,
    params: [token, now],
    expectRows: 1,
  }
}

/** Refused (`precondition`) when there is no such token. */
export function updateRegistrationToken({
  token,
  usesAllowed = -1,
  expiresTs = 0,
}: Pick<RegistrationToken, 'token' | 'usesAllowed' | 'expiresTs'>): Statement {
  return {
    sql: 'UPDATE registration_tokens SET uses_allowed = ?, expires_ts = ? WHERE token = ?',
    params: [usesAllowed, expiresTs, token],
    expectRows: 1,
  }
}

/** Refused (`precondition`) when there is no such token. */
export function deleteRegistrationToken(token: string): Statement {
  return { sql: 'DELETE FROM registration_tokens WHERE token = ?', params: [token], expectRows: 1 }
}
