import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadMigrations, migrate } from '../db/migrate.ts'
import { migrationsFolder } from '../db/program-files.ts'
import { onEveryDatabase, type OpenConnection } from './connections-suite.ts'

function limitsSuite(name: string, open: OpenConnection): void {
  describe(`a database from before limits were kept for everybody: ${name}`, () => {
    it('keeps those of single users', async () => {
      await using connection = await open()
      const all = loadMigrations(migrationsFolder)
      const at = all.findIndex((migration) => migration.name.endsWith('-limits'))
      await migrate(connection, all.slice(0, at), 1)
      await connection.run("INSERT INTO rate_limit_overrides VALUES ('@a:x', 3, 20)")
      await connection.run("INSERT INTO rate_limit_overrides VALUES ('@bot:x', 0, 0)")
      await migrate(connection, all, 2)
      const rows = await connection.run('SELECT * FROM limits ORDER BY principal')
      assert.deepEqual(rows, [
        { kind: 'user', principal: '@a:x', action: 'message', per_kilosecond: 3000, burst: 20 },
        { kind: 'user', principal: '@bot:x', action: 'all', per_kilosecond: 0, burst: 0 },
      ])
    })
  })
}

await onEveryDatabase('limits-test', limitsSuite)
