import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadMigrations, migrate } from '../db/migrate.ts'
import { migrationsFolder } from '../db/program-files.ts'
import { onEveryDatabase, type OpenConnection } from './connections-suite.ts'

function addressSessionsSuite(name: string, open: OpenConnection): void {
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

await onEveryDatabase('address-sessions-test', addressSessionsSuite)
