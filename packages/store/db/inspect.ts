import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import postgres from 'postgres'
import type { DatabaseConfig } from './open.ts'

/** One fact about a database, for the operator. */
export interface DatabaseFinding {
  readonly level: 'ok' | 'warn' | 'fail'
  readonly text: string
}

const ok = (text: string): DatabaseFinding => ({ level: 'ok', text })
const warn = (text: string): DatabaseFinding => ({ level: 'warn', text })
const fail = (text: string): DatabaseFinding => ({ level: 'fail', text })

function inspectSqlite(path: string): DatabaseFinding[] {
  if (!existsSync(path)) return [ok(`SQLite: ${path} does not exist yet; the first start makes it`)]
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const mode = (db.prepare('PRAGMA journal_mode').get() as { journal_mode: string }).journal_mode
    const check = (db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }).quick_check
    return [
      check === 'ok' ? ok(`SQLite: ${path} is sound`) : fail(`SQLite: ${path} is damaged: ${check}`),
      mode === 'wal' ? ok('SQLite: write-ahead log') : fail(`SQLite: journal mode is ${mode}, not wal`),
    ]
  } finally {
    db.close()
  }
}

/** Settings of PostgreSQL without which a commit that was answered can be lost. */
const DURABLE: readonly (readonly [string, readonly string[]])[] = [
  ['fsync', ['on']],
  ['full_page_writes', ['on']],
  ['synchronous_commit', ['on', 'remote_apply', 'remote_write', 'local']],
]

async function inspectPostgres(url: string): Promise<DatabaseFinding[]> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined })
  try {
    const [row] = await sql`SELECT version() AS version, extract(epoch FROM clock_timestamp()) * 1000 AS now,
      current_setting('server_encoding') AS encoding`
    const findings = [ok(`PostgreSQL answers: ${String(row?.['version']).split(',', 1)[0]}`)]
    const encoding = String(row?.['encoding'])
    if (encoding !== 'UTF8') findings.push(fail(`PostgreSQL: the encoding is ${encoding}, not UTF8`))
    for (const [name, good] of DURABLE) {
      const [setting] = await sql`SELECT current_setting(${name}) AS value`
      const value = String(setting?.['value'])
      const text = `PostgreSQL: ${name} is ${value}`
      findings.push(good.includes(value) ? ok(text) : warn(`${text}: answered writes can be lost in a crash`))
    }
    return findings
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Looks at a database without changing it, beside a running server too. Never rejects. */
export async function inspectDatabase(config: DatabaseConfig): Promise<DatabaseFinding[]> {
  try {
    return config.kind === 'sqlite' ? inspectSqlite(config.path) : await inspectPostgres(config.url)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'an unknown reason'
    return [fail(`The database cannot be opened: ${reason}`)]
  }
}
