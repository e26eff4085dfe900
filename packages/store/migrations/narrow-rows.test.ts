import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadMigrations, migrate, type MigrationConnection } from '../db/migrate.ts'
import { migrationsFolder } from '../db/program-files.ts'
import { classifyPostgresError } from '../db/writer/postgres-errors.ts'
import { classifySqliteError } from '../db/writer/sqlite-errors.ts'
import { onEveryDatabase, type OpenConnection } from './connections-suite.ts'

const EVENT_COLUMNS =
  '(nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, json, room_root)'

function eventSql(dialect: MigrationConnection['dialect'], nid: number, eventId: string): string {
  const json = dialect === 'sqlite' ? "x'7b7d'" : "'\\x7b7d'"
  return `INSERT INTO events ${EVENT_COLUMNS} VALUES (${nid}, '${eventId}', 1, ${nid}, 1, 1, 16, 0, ${json}, 0)`
}

function narrowRowsSuite(name: string, open: OpenConnection): void {
  describe(`a database from before rows were narrowed: ${name}`, () => {
    it('keeps its events and answers, and refuses an event that it has', async () => {
      await using connection = await open()
      const { dialect } = connection
      const all = loadMigrations(migrationsFolder)
      const at = all.findIndex((migration) => migration.name.endsWith('-narrow-rows'))
      await migrate(connection, all.slice(0, at), 1)
      for (const nid of [1, 2, 3]) await connection.run(eventSql(dialect, nid, `$event${nid}`))
      await connection.run('UPDATE events SET depth = 9007199254740991 WHERE nid = 2')
      const key = (n: number): string => (dialect === 'sqlite' ? `x'0${n}'` : `'\\x0${n}'`)
      const answers = ['$event2', '{}', '$purged']
      for (const [index, answer] of answers.entries())
        await connection.run(`INSERT INTO client_transactions VALUES (${key(index)}, '${answer}', 60000)`)
      await migrate(connection, all, 2)
      assert.deepEqual(
        await connection.run('SELECT event_nid, response, created_ts FROM client_transactions ORDER BY key'),
        [
          { event_nid: 2, response: null, created_ts: 60_000 },
          { event_nid: null, response: '{}', created_ts: 60_000 },
          { event_nid: null, response: null, created_ts: 60_000 },
        ],
      )
      assert.deepEqual(await connection.run("SELECT nid FROM events WHERE event_id = '$event3'"), [
        { nid: 3 },
      ])
      assert.deepEqual(await connection.run('SELECT depth FROM events ORDER BY nid'), [
        { depth: 1 },
        { depth: 2_000_000_000 },
        { depth: 3 },
      ])
      const again = await Promise.resolve(connection.run(eventSql(dialect, 4, '$event3'))).catch(
        (error: unknown) => error,
      )
      const scope =
        dialect === 'sqlite' ? classifySqliteError(again).scope : classifyPostgresError(again as Error)
      assert.equal(scope, 'conflict')
      await connection.run(eventSql(dialect, 4, '$event4'))
    })
  })
}

await onEveryDatabase('narrow-rows-test', narrowRowsSuite)
