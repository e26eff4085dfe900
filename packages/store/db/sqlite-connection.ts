import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { Row, SqlValue } from './database.ts'
import { unescapeText } from './text.ts'

/** A second process that checkpoints (a backup tool) may hold the file for a moment; never for long. */
const BUSY_TIMEOUT_MS = 5000

/** Opens the file for writing: WAL, every commit synced before it is answered. */
export function openSqliteWriter(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false })
  // 4 KiB pages: a commit writes whole pages to the WAL, so small ones cost least.
  db.exec('PRAGMA page_size = 4096')
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  // A checkpoint (two syncs and random writes) every 16 MiB of WAL, and the WAL file stays about that size.
  db.exec('PRAGMA wal_autocheckpoint = 4000')
  db.exec('PRAGMA journal_size_limit = 67108864')
  db.exec('PRAGMA cache_size = -16384')
  db.exec('PRAGMA temp_store = MEMORY')
  return db
}

/** Opens the file for reading. The writer must have it open (it keeps the WAL's shared memory alive). */
export function openSqliteReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
  db.exec('PRAGMA cache_size = -8192')
  db.exec('PRAGMA mmap_size = 134217728')
  db.exec('PRAGMA temp_store = MEMORY')
  return db
}

/** A prepared statement with what has to be known about its columns. */
export interface PreparedStatement {
  readonly statement: StatementSync
  readonly returnsRows: boolean
  readonly columns: readonly string[]
}

/** A value as node:sqlite takes it. */
export type SqliteParam = string | bigint | number | Uint8Array | null

export function prepareStatement(db: DatabaseSync, sql: string): PreparedStatement {
  const statement = db.prepare(sql)
  statement.setReturnArrays(true)
  const columns = statement.columns().map((column) => column.name)
  return { statement, returnsRows: columns.length > 0, columns }
}

/** A row from its values: a plain object (node:sqlite's own have no prototype and cost more), text unescaped. */
export function rowOf(columns: readonly string[], values: readonly SqlValue[]): Row {
  const row: Row = {}
  for (let index = 0; index < columns.length; index++) {
    const value = values[index]!
    row[columns[index]!] = typeof value === 'string' ? unescapeText(value) : value
  }
  return row
}

/** Runs a statement and returns its rows. @throws RangeError for an integer beyond ±(2^53 − 1) */
export function allRows(prepared: PreparedStatement, params: readonly SqliteParam[]): Row[] {
  const rows = prepared.statement.all(...params) as unknown as SqlValue[][]
  return rows.map((values) => rowOf(prepared.columns, values))
}
