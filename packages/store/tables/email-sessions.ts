import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const SESSIONS: TableShape = {
  name: 'email_sessions',
  columns: [
    { name: 'sid', type: 'text' },
    { name: 'client_secret', type: 'text' },
    { name: 'address', type: 'text' },
    { name: 'purpose', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'send_attempt', type: 'int' },
    { name: 'token_hash', type: 'text' },
    { name: 'expires_ts', type: 'int' },
    { name: 'validated_ts', type: 'int' },
  ],
  onConflict: { key: ['address', 'client_secret', 'purpose'], action: 'replace' },
}

/** What a confirmed address can be used for. */
export type EmailPurpose = 'register' | 'add' | 'reset'

/** One row of `email_sessions`, columns as in the schema. */
export interface EmailSessionRow extends Row {
  sid: string
  client_secret: string
  address: string
  purpose: EmailPurpose
  user_id: string
  send_attempt: number
  token_hash: string
  expires_ts: number
  validated_ts: number
}

const COLUMNS = SESSIONS.columns.map(({ name }) => name).join(', ')

export async function findEmailSession(
  db: Database,
  sid: string,
  now: number,
): Promise<EmailSessionRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM email_sessions WHERE sid = ? AND expires_ts > ?`
  return (await db.query<EmailSessionRow>(sql, [sid, now]))[0]
}

/** The session that a client began earlier for the same address. */
export async function findSessionOfClient(
  db: Database,
  { address, clientSecret, purpose }: { address: string; clientSecret: string; purpose: EmailPurpose },
  now: number,
): Promise<EmailSessionRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM email_sessions
    WHERE address = ? AND client_secret = ? AND purpose = ? AND expires_ts > ?`
  return (await db.query<EmailSessionRow>(sql, [address, clientSecret, purpose, now]))[0]
}

/** In place of an earlier one of the same client for the same address and purpose. */
export function setEmailSession(row: EmailSessionRow): Step {
  return { into: SESSIONS, values: SESSIONS.columns.map(({ name }) => row[name]!) }
}

/** The link was used; refused (`precondition`) when it was before, or the session is gone. */
export function validateEmailSession(sid: string, tokenHash: string, now: number): Statement {
  return {
    sql: `UPDATE email_sessions SET validated_ts = ?
      WHERE sid = ? AND token_hash = ? AND validated_ts = 0 AND expires_ts > ?`,
    params: [now, sid, tokenHash, now],
    expectRows: 1,
  }
}

/** Uses a confirmed session up; refused (`precondition`) when somebody was faster. */
export function spendEmailSession(sid: string): Statement {
  return {
    sql: 'DELETE FROM email_sessions WHERE sid = ? AND validated_ts > 0',
    params: [sid],
    expectRows: 1,
  }
}

export function forgetExpiredEmailSessions(now: number): Statement {
  return { sql: 'DELETE FROM email_sessions WHERE expires_ts <= ?', params: [now] }
}
