import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { SqlValue } from './database.ts'
import { mapCode, splitStatements } from './sql-text.ts'

/** A numbered SQL file of `packages/store/migrations`. */
export interface Migration {
  /** `0001-core`: number and subject. */
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string
}

/** A connection as far as migrations need it; statements are sent as they stand. */
export interface MigrationConnection {
  readonly dialect: 'sqlite' | 'postgres'
  /** May be called again before the statement before is answered: they are carried out in order. */
  run(sql: string): Promise<Record<string, SqlValue>[]> | Record<string, SqlValue>[]
}

const FILE_NAME = /^(\d{4}-[a-z0-9-]+)\.sql$/

/** All migrations of a folder, by number. @throws Error for a file that is not named like one, or a number used twice */
export function loadMigrations(folder: URL): Migration[] {
  const names = readdirSync(folder).filter((file) => file.endsWith('.sql'))
  const migrations = names.toSorted().map((file) => {
    const name = FILE_NAME.exec(file)?.[1]
    if (name === undefined) throw new Error(`${file} is not named like a migration (0001-subject.sql)`)
    return createMigration(name, readFileSync(new URL(file, folder), 'utf8'))
  })
  migrations.forEach((migration, index) => {
    const before = migrations[index - 1]?.name
    if (before?.slice(0, 4) === migration.name.slice(0, 4)) {
      throw new Error(`the migrations ${before} and ${migration.name} have the same number`)
    }
  })
  return migrations
}

/** A migration with its checksum; line ends do not count. */
export function createMigration(name: string, text: string): Migration {
  const sql = text.replaceAll('\r\n', '\n')
  return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
}

const SECTION = /^-- \[(sqlite|postgres|both)\]$/m

/** What of a script is for one database: after a line `-- [postgres]`, `-- [sqlite]` or `-- [both]`, what it names. */
function sectionsFor(dialect: 'sqlite' | 'postgres', sql: string): string {
  const [first, ...parts] = sql.split(SECTION)
  const sections = parts.filter((_, index) => {
    const name = parts[index - 1]
    return index % 2 === 1 && (name === dialect || name === 'both')
  })
  return [first, ...sections].join('')
}

/**
 * A migration's statements for one database. They are written for SQLite; in CREATE TABLE and ALTER TABLE the
 * types are those of PostgreSQL there: 64-bit integers, bytes, and text that compares by code point.
 */
export function statementsFor(dialect: 'sqlite' | 'postgres', sql: string): string[] {
  const statements = splitStatements(sectionsFor(dialect, sql))
  if (dialect === 'sqlite') return statements
  return statements.map((statement) => {
    if (!/^(CREATE|ALTER)\s+TABLE\b/i.test(statement)) return statement
    return mapCode(statement, (code) =>
      code
        .replace(/\bINTEGER\b/gi, 'BIGINT')
        .replace(/\bBLOB\b/gi, 'BYTEA')
        .replace(/\bTEXT\b/gi, 'TEXT COLLATE "C"')
        .replace(/\bWITHOUT\s+ROWID\b/gi, ''),
    )
  })
}

/**
 * Brings the schema up to date; each migration is a transaction of its own. The caller makes sure that nobody
 * else does the same at this moment.
 * @returns the names of the migrations that were applied now
 * @throws Error with a sentence for the operator when the database belongs to another version
 */
export async function migrate(
  connection: MigrationConnection,
  migrations: readonly Migration[],
  now: number,
): Promise<string[]> {
  const [table] = statementsFor(
    connection.dialect,
    'CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_ts INTEGER NOT NULL)',
  )
  const [, rows] = await Promise.all([
    connection.run(table!),
    connection.run('SELECT name, checksum FROM schema_migrations ORDER BY name'),
  ])
  checkApplied(new Map(rows.map((row) => [String(row['name']), String(row['checksum'])])), migrations)
  const pending = migrations.slice(rows.length)
  for (const migration of pending) await applyMigration(connection, migration, now)
  return pending.map((migration) => migration.name)
}

/** What was applied must be exactly the first migrations that we know, unchanged. */
function checkApplied(applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.name))
  const unknown = [...applied.keys()].find((name) => !known.has(name))
  if (unknown !== undefined) {
    throw new Error(
      `The database was written by a newer version of Causeway: it has the migration ${unknown}, which this ` +
        'version does not know. Start that version (or a later one), or restore a backup from before the upgrade.',
    )
  }
  migrations.forEach((migration, index) => {
    const checksum = applied.get(migration.name)
    if (checksum === undefined && index < applied.size) {
      throw new Error(
        `The database has later migrations than ${migration.name}, but not that one: it was made by another ` +
          'branch of Causeway. Start the version that made it, or begin with an empty database.',
      )
    }
    if (checksum !== undefined && checksum !== migration.checksum) {
      throw new Error(
        `The migration ${migration.name} is not the one that this database was made with. Released migrations ` +
          'never change: reinstall Causeway, or begin with an empty database if this is a development copy.',
      )
    }
  })
}

async function applyMigration(
  connection: MigrationConnection,
  migration: Migration,
  now: number,
): Promise<void> {
  const statements = [
    'BEGIN',
    ...statementsFor(connection.dialect, migration.sql),
    `INSERT INTO schema_migrations VALUES ('${migration.name}', '${migration.checksum}', ${now})`,
  ]
  try {
    // Sent together: a migration costs two round trips. After one that fails the others of its transaction fail too.
    await Promise.all(statements.map((statement) => Promise.resolve(connection.run(statement))))
    await connection.run('COMMIT')
  } catch (error) {
    await connection.run('ROLLBACK')
    throw new Error(`The migration ${migration.name} failed; nothing of it was kept.`, { cause: error })
  }
}
