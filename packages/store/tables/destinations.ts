import type { Database, Row, Step, TableShape } from '../db/database.ts'

const DESTINATIONS: TableShape = {
  name: 'destinations',
  columns: [
    { name: 'server_name', type: 'text' },
    { name: 'failing_since_ts', type: 'int' },
    { name: 'retry_ts', type: 'int' },
    { name: 'interval_ms', type: 'int' },
    { name: 'failures', type: 'int' },
    { name: 'last_error', type: 'text' },
  ],
  onConflict: { key: ['server_name'], action: 'replace' },
}

/** A server that does not answer at present. Times in milliseconds. */
export interface FailingDestination {
  readonly serverName: string
  readonly failingSinceTs: number
  /** Not to be asked before. */
  readonly retryTs: number
  /** What the next wait is made from. */
  readonly intervalMs: number
  readonly failures: number
  readonly lastError: string
}

const COLUMNS = 'server_name, failing_since_ts, retry_ts, interval_ms, failures, last_error'

function toDestination(row: Row): FailingDestination {
  return {
    serverName: String(row['server_name']),
    failingSinceTs: Number(row['failing_since_ts']),
    retryTs: Number(row['retry_ts']),
    intervalMs: Number(row['interval_ms']),
    failures: Number(row['failures']),
    lastError: String(row['last_error']),
  }
}

/** What is known of a server that fails; undefined for one that does not. */
export async function findFailingDestination(
  db: Database,
  serverName: string,
): Promise<FailingDestination | undefined> {
  const rows = await db.query(`SELECT ${COLUMNS} FROM destinations WHERE server_name = ?`, [serverName])
  return rows[0] === undefined ? undefined : toDestination(rows[0])
}

/** Servers that fail, by name, from the one after `after` on. */
export async function listFailingDestinations(
  db: Database,
  after: string,
  limit: number,
): Promise<FailingDestination[]> {
  const rows = await db.query(
    `SELECT ${COLUMNS} FROM destinations WHERE server_name > ? ORDER BY server_name LIMIT ?`,
    [after, limit],
  )
  return rows.map(toDestination)
}

export async function countFailingDestinations(db: Database): Promise<number> {
  const rows = await db.query('SELECT count(*) AS n FROM destinations', [])
  return Number(rows[0]?.['n'] ?? 0)
}

export function storeFailingDestination(destination: FailingDestination): Step {
  const { serverName, failingSinceTs, retryTs, intervalMs, failures, lastError } = destination
  return {
    into: DESTINATIONS,
    values: [serverName, failingSinceTs, retryTs, intervalMs, failures, lastError],
  }
}

/** The server answers again. */
export function deleteFailingDestination(serverName: string): Step {
  return { sql: 'DELETE FROM destinations WHERE server_name = ?', params: [serverName] }
}
