import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import type { Row } from '../db/database.ts'
import type { MigrationConnection } from '../db/migrate.ts'
import { PostgresSession } from '../db/writer/postgres-session.ts'

/** An empty database, as migrations meet it. */
export type OpenConnection = () => Promise<MigrationConnection & AsyncDisposable>

// Before the first test is registered: the runner ends a file whose tests are all done, whatever it still awaits.
const server = await sharedPostgres()

async function openSqlite(): ReturnType<OpenConnection> {
  const db = new DatabaseSync(':memory:')
  const run = async (sql: string): Promise<Row[]> =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }) as Row)
  return { dialect: 'sqlite', run, [Symbol.asyncDispose]: async () => db.close() }
}

/** Registers tests of a migration for each database. @param label what PostgreSQL calls the session */
export async function onEveryDatabase(
  label: string,
  suite: (name: string, open: OpenConnection) => void,
): Promise<void> {
  suite('SQLite', openSqlite)
  if ('skip' in server) {
    it(`${label} on PostgreSQL`, { skip: server.skip }, () => undefined)
    return
  }
  suite('PostgreSQL', async () => {
    const session = await PostgresSession.open(await server.createDatabase(), label)
    const run = async (sql: string): Promise<Row[]> => [...(await session.send(sql)).rows]
    return { dialect: 'postgres', run, [Symbol.asyncDispose]: () => session.close() }
  })
}
