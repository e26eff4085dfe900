import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { systemClock, systemRandom } from '../clock/system.ts'
import { suiteSigner } from './conformance/fixture.ts'
import type { Row } from './database.ts'
import { createMigration, loadMigrations, migrate, statementsFor } from './migrate.ts'
import { migrationsFolder } from './program-files.ts'
import type { MigrationConnection } from './migrate.ts'
import { openDatabase } from './open.ts'
import { PostgresSession } from './writer/postgres-session.ts'

// Before the first test is registered: the runner ends a file whose tests are all done, whatever it still awaits.
const server = await sharedPostgres()

const first = createMigration(
  '0001-first',
  'CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, b BLOB); -- end\n',
)
const second = createMigration(
  '0002-second',
  "ALTER TABLE a ADD COLUMN more INTEGER;\nINSERT INTO a VALUES (1, 'TEXT', NULL, 2)",
)
const broken = createMigration(
  '0003-broken',
  'CREATE TABLE gone (id INTEGER); INSERT INTO nowhere VALUES (1)',
)

/** What migrations must do on every database; `open` gives a connection to an empty one. */
function migrationSuite(name: string, open: () => Promise<MigrationConnection & AsyncDisposable>): void {
  describe(`migrations on ${name}`, () => {
    it('are applied once, in order', async () => {
      await using connection = await open()
      assert.deepEqual(await migrate(connection, [first], 1), ['0001-first'])
      assert.deepEqual(await migrate(connection, [first, second], 2), ['0002-second'])
      assert.deepEqual(await migrate(connection, [first, second], 3), [])
      assert.deepEqual(await connection.run('SELECT id, t, more FROM a'), [{ id: 1, t: 'TEXT', more: 2 }])
    })

    it('leave nothing behind when they fail', async () => {
      await using connection = await open()
      await assert.rejects(
        migrate(connection, [first, second, broken], 1),
        /0003-broken failed; nothing of it was kept/,
      )
      await connection.run('CREATE TABLE gone (id INTEGER)')
      assert.deepEqual(await connection.run('SELECT name FROM schema_migrations ORDER BY name'), [
        { name: '0001-first' },
        { name: '0002-second' },
      ])
    })

    it('refuse a database of a newer version, or one made with other migrations, and say what to do', async () => {
      await using connection = await open()
      await migrate(connection, [first, second], 1)
      await assert.rejects(migrate(connection, [first], 1), /newer version.*0002-second.*Start that version/)
      const edited = createMigration('0001-first', `${first.sql} -- edited`)
      await assert.rejects(migrate(connection, [edited, second], 1), /0001-first is not the one.*reinstall/)
      const between = createMigration('0001-zwischen', 'SELECT 1')
      await assert.rejects(
        migrate(connection, [first, between, second], 1),
        /not that one: it was made by another branch/,
      )
    })
  })
}

migrationSuite('SQLite', async () => {
  const db = new DatabaseSync(':memory:')
  const run = (sql: string): Row[] =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }) as Row)
  return { dialect: 'sqlite', run, [Symbol.asyncDispose]: async () => db.close() }
})

if ('skip' in server) {
  it('migrations run on PostgreSQL', { skip: server.skip }, () => undefined)
} else {
  migrationSuite('PostgreSQL', async () => {
    const session = await PostgresSession.open(await server.createDatabase(), 'migrate-test')
    const run = async (sql: string): Promise<Row[]> => [...(await session.send(sql)).rows]
    return { dialect: 'postgres', run, [Symbol.asyncDispose]: () => session.close() }
  })

  it('several processes may open an empty PostgreSQL database at once', async () => {
    const url = await server.createDatabase()
    const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner }
    const opened = await Promise.all(
      [1, 2, 3].map(() => openDatabase({ kind: 'postgres', url, poolSize: 1, shared: true }, deps)),
    )
    assert.equal(new Set(opened.map((db) => db.epoch)).size, 1)
    await Promise.all(opened.map((db) => db[Symbol.asyncDispose]()))
  })
}

it('types in table definitions are those of PostgreSQL there; other statements stay as they are', () => {
  const sql = `CREATE TABLE t (a INTEGER, b TEXT NOT NULL DEFAULT 'TEXT', c BLOB, PRIMARY KEY (a)) WITHOUT ROWID; UPDATE t SET b = CAST(a AS TEXT)`
  const [table, update] = statementsFor('postgres', sql)
  assert.equal(
    table!.trim(),
    `CREATE TABLE t (a BIGINT, b TEXT COLLATE "C" NOT NULL DEFAULT 'TEXT', c BYTEA, PRIMARY KEY (a))`,
  )
  assert.equal(update, 'UPDATE t SET b = CAST(a AS TEXT)')
})

it('a section of a migration is only for the database that it names', () => {
  const sql = 'SELECT 1;\n-- [postgres]\nSELECT 2;\n-- [sqlite]\nSELECT 3;\n-- [both]\nSELECT 4;\n'
  assert.deepEqual(statementsFor('postgres', sql), ['SELECT 1', 'SELECT 2', 'SELECT 4'])
  assert.deepEqual(statementsFor('sqlite', sql), ['SELECT 1', 'SELECT 3', 'SELECT 4'])
})

it('the migrations of the product are numbered without gaps and apply to an empty SQLite database', async () => {
  const migrations = loadMigrations(migrationsFolder)
  assert.deepEqual(
    migrations.map((migration) => Number(migration.name.slice(0, 4))),
    migrations.map((_, index) => index + 1),
  )
  const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner }
  const db = await openDatabase({ kind: 'sqlite', path: ':memory:' }, deps)
  assert.deepEqual(await db.query('SELECT position, historical FROM log_state', []), [
    { position: 0, historical: 0 },
  ])
  await db[Symbol.asyncDispose]()
})

it('line ends do not change the checksum of a migration', () => {
  assert.equal(
    createMigration('0001-a', 'SELECT 1;\r\n').checksum,
    createMigration('0001-a', 'SELECT 1;\n').checksum,
  )
})
