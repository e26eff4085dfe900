import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { systemClock, systemRandom } from '../clock/system.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { accepted, suiteMigrations, suiteSigner, thing } from './conformance/fixture.ts'
import { lifetimeSuite } from './conformance/lifetime-suite.ts'
import { memoryTarget, sqliteTarget } from './conformance/targets.ts'
import { valueSuite } from './conformance/value-suite.ts'
import { openDatabase } from './open.ts'

for (const target of [sqliteTarget(false), sqliteTarget(true), memoryTarget]) {
  commitSuite(target)
  valueSuite(target)
  lifetimeSuite(target)
}

const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }

it('a SQLite database in use refuses a second opener, in this process and in another, and says who holds it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-lock-'))
  const path = join(folder, 'store.db')
  const db = await openDatabase({ kind: 'sqlite', path }, deps)
  await assert.rejects(
    openDatabase({ kind: 'sqlite', path }, deps),
    new RegExp(`in use by another.*${process.pid}`),
  )
  const script = `const { lockSqlite } = await import(${JSON.stringify(import.meta.resolve('./sqlite-lock.ts'))}); lockSqlite(${JSON.stringify(path)})`
  const run = (): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', stdio: 'pipe' })
  assert.throws(run, new RegExp(`in use by another.*process ${process.pid}.*another data directory`))
  await accepted(db, thing('unharmed'))
  await db[Symbol.asyncDispose]()
  run()
  rmSync(folder, { recursive: true })
})

it('a SQLite commit is synced: the writer runs WAL with synchronous = FULL', async () => {
  const { db, cleanUp } = await sqliteTarget(false).create()
  const step = (sql: string) => ({ sql, params: [], returning: true })
  const { rows } = await accepted(db, {
    entries: [],
    steps: [step('PRAGMA journal_mode'), step('PRAGMA synchronous')],
  })
  assert.deepEqual([rows.get(0), rows.get(1)], [[{ journal_mode: 'wal' }], [{ synchronous: 2 }]])
  await db[Symbol.asyncDispose]()
  await cleanUp()
})
