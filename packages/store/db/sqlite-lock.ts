import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Held while the process has the database open; the kernel drops it when the process dies. */
export interface SqliteLock {
  release(): void
}

/**
 * Makes sure that this is the only process (and the only open in this process) that writes the database: two
 * writers would each hand out the same positions. The lock is SQLite's own, on an empty database beside the
 * file, so that other programs may still read or back up the real one.
 * @throws Error with a sentence that says who holds it and what to do
 */
export function lockSqlite(path: string): SqliteLock {
  const file = join(realpathSync(dirname(path)), `${basename(path)}.lock`)
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    // Readable while another holds the reservation, hence outside of it.
    db.exec(`PRAGMA user_version = ${process.pid}`)
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const holder = holderOf(db)
    db.close()
    if (!isBusy(error)) throw error
    throw new Error(
      `${path} is in use by another Causeway process${holder}. Stop that one first, or start this one with ` +
        'another data directory. (Several processes on one database need PostgreSQL.)',
      { cause: error },
    )
  }
  return { release: () => db.close() }
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : 0
  return typeof code === 'number' && (code & 0xff) === 5
}

function holderOf(db: DatabaseSync): string {
  try {
    return ` (process ${String(db.prepare('PRAGMA user_version').get()?.['user_version'])})`
  } catch {
    return ''
  }
}
