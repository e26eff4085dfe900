import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import type { Row } from '../db/database.ts'
import { loadMigrations, migrate, type MigrationConnection } from '../db/migrate.ts'
import { migrationsFolder } from '../db/program-files.ts'
import { PostgresSession } from '../db/writer/postgres-session.ts'

// Before the first test is registered: the runner ends a file whose tests are all done, whatever it still awaits.
const server = await sharedPostgres()

function addressSessionsSuite(
  name: string,
  open: () => Promise<MigrationConnection & AsyncDisposable>,
): void {
  describe(`a database from before telephone numbers: ${name}`, () => {
    it('keeps what people are about to prove', async () => {
      await using connection = await open()
      const all = loadMigrations(migrationsFolder)
      const at = all.findIndex((migration) => migration.name.endsWith('-address-sessions'))
      await migrate(connection, all.slice(0, at), 1)
      await connection.run(
        "INSERT INTO email_sessions VALUES ('sid', 'secret', 'a@b.c', 'add', '@a:b', 2, 'hash', 9, 8)",
      )
      await migrate(connection, all, 2)
      assert.deepEqual(await connection.run('SELECT * FROM address_sessions'), [
        {
          sid: 'sid',
          medium: 'email',
          address: 'a@b.c',
          client_secret: 'secret',
          purpose: 'add',
          user_id: '@a:b',
          send_attempt: 2,
          token_hash: 'hash',
          guesses: 0,
          expires_ts: 9,
          validated_ts: 8,
        },
      ])
    })
  })
}

addressSessionsSuite('SQLite', async () => {
  const db = new DatabaseSync(':memory:')
  const run = async (sql: string): Promise<Row[]> =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }) as Row)
  return { dialect: 'sqlite', run, [Symbol.asyncDispose]: async () => db.close() }
})

if ('skip' in server) {
  it('what people are about to prove is kept on PostgreSQL', { skip: server.skip }, () => undefined)
} else {
  addressSessionsSuite('PostgreSQL', async () => {
    const session = await PostgresSession.open(await server.createDatabase(), 'address-sessions-test')
    const run = async (sql: string): Promise<Row[]> => [...(await session.send(sql)).rows]
    return { dialect: 'postgres', run, [Symbol.asyncDispose]: () => session.close() }
  })
}
