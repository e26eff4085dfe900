import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'
import type { Medium } from './threepids.ts'

const SESSIONS: TableShape = {
  name: 'address_sessions',
  columns: [
    { name: 'sid', type: 'text' },
    { name: 'medium', type: 'text' },
    { name: 'address', type: 'text' },
    { name: 'client_secret', type: 'text' },
    { name: 'purpose', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'send_attempt', type: 'int' },
    { name: 'token_hash', type: 'text' },
    { name: 'guesses', type: 'int' },
    { name: 'expires_ts', type: 'int' },
    { name: 'validated_ts', type: 'int' },
  ],
  onConflict: { key: ['medium', 'address', 'client_secret', 'purpose'], action: 'replace' },
}

/** What a proven address can be used for. */
export type AddressPurpose = 'register' | 'add' | 'reset'

/** One row of `address_sessions`, columns as in the schema. */
export interface AddressSessionRow extends Row {
  sid: string
  medium: Medium
  address: string
  client_secret: string
  purpose: AddressPurpose
  user_id: string
  send_attempt: number
  token_hash: string
  guesses: number
  expires_ts: number
  validated_ts: number
}

/** What tells the sessions of clients apart. */
export type SessionOfClient = Pick<AddressSessionRow, 'medium' | 'address' | 'client_secret' | 'purpose'>

const COLUMNS = SESSIONS.columns.map(({ name }) => name).join(', ')

export async function findAddressSession(
  db: Database,
  sid: string,
  now: number,
): Promise<AddressSessionRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM address_sessions WHERE sid = ? AND expires_ts > ?`
  return (await db.query<AddressSessionRow>(sql, [sid, now]))[0]
}

/** The session that a client began earlier for the same address. */
export async function findSessionOfClient(
  db: Database,
  { medium, address, client_secret: clientSecret, purpose }: SessionOfClient,
  now: number,
): Promise<AddressSessionRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM address_sessions
    WHERE medium = ? AND address = ? AND client_secret = ? AND purpose = ? AND expires_ts > ?`
  return (await db.query<AddressSessionRow>(sql, [medium, address, clientSecret, purpose, now]))[0]
}

/** In place of an earlier one of the same client for the same address and purpose. */
export function setAddressSession(row: AddressSessionRow): Step {
  return { into: SESSIONS, values: SESSIONS.columns.map(({ name }) => row[name]!) }
}

/** Counts a guess at a code; refused (`precondition`) after so many, when it was proven, or the session is gone. */
export function guessAddressSession(sid: string, atMost: number, now: number): Statement {
  return {
    sql: `UPDATE address_sessions SET guesses = guesses + 1
      WHERE sid = ? AND guesses < ? AND validated_ts = 0 AND expires_ts > ?`,
    params: [sid, atMost, now],
    expectRows: 1,
  }
}

/** What was sent came back; refused (`precondition`) when it did before, or the session is gone. */
export function validateAddressSession(sid: string, tokenHash: string, now: number): Statement {
  return {
    sql: `UPDATE address_sessions SET validated_ts = ?
      WHERE sid = ? AND token_hash = ? AND validated_ts = 0 AND expires_ts > ?`,
    params: [now, sid, tokenHash, now],
    expectRows: 1,
  }
}

/** Uses a proven session up; refused (`precondition`) when somebody was faster. */
export function spendAddressSession(sid: string): Statement {
  return {
    sql: 'DELETE FROM address_sessions WHERE sid = ? AND validated_ts > 0',
    params: [sid],
    expectRows: 1,
  }
}

/** One whose proof could not be sent. */
export function dropAddressSession(sid: string): Statement {
  return { sql: 'DELETE FROM address_sessions WHERE sid = ?', params: [sid] }
}

/** What somebody began for an account that ends. */
export function deleteAddressSessionsOf(userId: string): Statement {
  return { sql: 'DELETE FROM address_sessions WHERE user_id = ?', params: [userId] }
}

export function forgetExpiredAddressSessions(now: number): Statement {
  return { sql: 'DELETE FROM address_sessions WHERE expires_ts <= ?', params: [now] }
}
