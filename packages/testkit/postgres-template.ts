import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '@causeway/store/clock/system.ts'
import { loadMigrations, migrate } from '@causeway/store/db/migrate.ts'
import { migrationsFolder } from '@causeway/store/db/program-files.ts'
import { PostgresSession } from '@causeway/store/db/writer/postgres-session.ts'

const CACHE = path.join(import.meta.dirname, '../../.cache/postgres-template')
const BUILDING = 'building-'

/** The database whose copies have every table from the start. */
export const PREPARED = 'prepared'

/**
 * The data folder of a server that is to be copied: a copy takes a tenth of the time that initdb does, and each of
 * its databases half a second less than the migrations. Kept for this version of PostgreSQL, user and migrations.
 * @param postgres the program
 * @param make initdb into a folder, a server in there while `fill` runs, and a clean end
 */
export async function postgresTemplate(
  postgres: string,
  uid: number | undefined,
  make: (folder: string, fill: (base: string) => Promise<void>) => Promise<void>,
): Promise<string> {
  const version = execFileSync(postgres, ['--version'], { encoding: 'utf8' })
  const migrations = loadMigrations(migrationsFolder)
  const key = createHash('sha256').update(`${version} ${uid ?? 'self'}`)
  for (const { checksum } of migrations) key.update(checksum)
  const folder = path.join(CACHE, key.digest('hex').slice(0, 16))
  if (existsSync(folder)) return folder
  mkdirSync(CACHE, { recursive: true })
  const building = mkdtempSync(path.join(CACHE, BUILDING))
  await make(building, fillPrepared)
  try {
    renameSync(path.join(building, 'data'), folder)
  } catch (error) {
    // Another process was as fast: theirs is the same.
    if (!existsSync(folder)) throw error
  }
  rmSync(building, { recursive: true, force: true })
  forgetOthers(folder)
  return folder
}

/** Those of other migrations. */
function forgetOthers(folder: string): void {
  for (const name of readdirSync(CACHE)) {
    const other = path.join(CACHE, name)
    if (other !== folder && !name.startsWith(BUILDING)) rmSync(other, { recursive: true, force: true })
  }
}

async function fillPrepared(base: string): Promise<void> {
  const session = await PostgresSession.open(`${base}/${PREPARED}`, 'causeway-template')
  const run = async (sql: string) => [...(await session.send(sql)).rows]
  await migrate({ dialect: 'postgres', run }, loadMigrations(migrationsFolder), systemClock.now())
  await session.close()
}
