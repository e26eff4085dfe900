import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { systemClock, systemRandom } from '../clock/system.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { accepted, head, one, room, suiteMigrations, suiteSigner, thing } from './conformance/fixture.ts'
import { lifetimeSuite } from './conformance/lifetime-suite.ts'
import { postgresTarget } from './conformance/targets.ts'
import { valueSuite } from './conformance/value-suite.ts'
import type { Row } from './database.ts'
import { openDatabase } from './open.ts'
import type { OpenDatabase } from './open.ts'

const server = await sharedPostgres()
if ('skip' in server) {
  it('PostgreSQL passes the suites of the store', { skip: server.skip }, () => undefined)
} else {
  const target = postgresTarget(() => server.createDatabase())
  commitSuite(target)
  valueSuite(target)
  lifetimeSuite(target)

  const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }

  it('reads of one text that are asked for in one turn go to the server as one statement', async () => {
    const config = { kind: 'postgres', url: await server.createDatabase() } as const
    await using db = await openDatabase(config, deps)
    const sql =
      'SELECT CAST(? AS BIGINT) AS given, pg_backend_pid() AS pid, CAST(statement_timestamp() AS TEXT) AS at'
    const rows = (await Promise.all([3, 1, 2].map((given) => db.query(sql, [given])))).flat()
    assert.deepEqual(
      rows.map(({ given }) => given),
      [3, 1, 2],
    )
    assert.equal(new Set(rows.map(({ pid, at }) => JSON.stringify([pid, at]))).size, 1)
    const [later] = await db.query(sql, [4])
    assert.notEqual(later?.['at'], rows[0]?.['at'])
  })

  it('two processes on one PostgreSQL never show a position before every lower one', async () => {
    const config = { kind: 'postgres', url: await server.createDatabase(), shared: true } as const
    await using first = await openDatabase(config, deps)
    await using second = await openDatabase(config, deps)
    let writing = true
    const watch = async (): Promise<number> => {
      let seen = 0
      while (writing) {
        const row = await one(first, 'SELECT COUNT(*) AS n, COALESCE(MAX(nid), 0) AS high FROM things')
        assert.equal(row['n'], row['high'])
        seen++
      }
      return seen
    }
    const watching = watch()
    const write = async (db: OpenDatabase, name: string): Promise<void> => {
      for (let part = 0; part < 10; part++) {
        await Promise.all(
          Array.from({ length: 20 }, (_, index) => accepted(db, thing(`${name} ${part} ${index}`))),
        )
      }
    }
    await Promise.all([write(first, 'first'), write(second, 'second')])
    writing = false
    assert.ok((await watching) > 3, 'the watcher looked while they wrote')
    assert.deepEqual(await one(second, 'SELECT COUNT(*) AS n, MAX(nid) AS high FROM things'), {
      n: 400,
      high: 400,
    })
  })

  it('of two processes that advance the same head, the stale one is refused', async () => {
    const config = { kind: 'postgres', url: await server.createDatabase(), shared: true } as const
    await using first = await openDatabase(config, deps)
    await using second = await openDatabase(config, deps)
    await accepted(first, room(1))
    await accepted(first, thing('a', head(1, 0)))
    assert.deepEqual(await second.commit(thing('b', head(1, 0))), {
      ok: false,
      step: -1,
      reason: 'precondition',
    })
    await accepted(second, thing('c', head(1, 1)))
    assert.deepEqual(await first.commit(thing('d', head(1, 1))), {
      ok: false,
      step: -1,
      reason: 'precondition',
    })
  })

  it('a lost connection fails what was in flight, and the next commit connects anew', async () => {
    const config = { kind: 'postgres', url: await server.createDatabase() } as const
    await using db = await openDatabase(config, deps)
    await accepted(db, thing('before'))
    const sleep = { sql: `SELECT pg_sleep(60) IS NULL AS slept`, params: [] }
    const stuck = Promise.allSettled([
      db.commit(thing('stuck', { steps: [sleep] })),
      db.commit(thing('beside')),
    ])
    const pid = `SELECT pid FROM pg_stat_activity WHERE application_name = 'causeway-writer' AND datname = current_database() AND query LIKE '%pg_sleep%'`
    let rows: Row[] = []
    while (rows.length === 0) rows = await db.query(pid, [])
    await db.query('SELECT pg_terminate_backend(CAST(? AS INTEGER)) AS killed', [rows[0]!['pid']!])
    for (const outcome of await stuck) {
      assert.match(String(outcome.status === 'rejected' && outcome.reason), /commit failed/)
    }
    assert.deepEqual((await accepted(db, thing('after'))).positions, [2])
    assert.deepEqual(await db.query('SELECT name FROM things ORDER BY nid', []), [
      { name: 'before' },
      { name: 'after' },
    ])
  })

  it('a server that is not there, or does not know the database, is named without its password', async () => {
    const url = new URL(await server.createDatabase())
    url.password = 'secret'
    url.pathname = '/nowhere'
    await assert.rejects(openDatabase({ kind: 'postgres', url: url.href }, deps), (error: Error) => {
      assert.match(error.message, /127\.0\.0\.1:\d+\/nowhere\) cannot be opened: .*does not exist/)
      return !error.message.includes('secret')
    })
    const nobody = { kind: 'postgres', url: 'postgres://a:secret@127.0.0.1:1/x' } as const
    await assert.rejects(openDatabase(nobody, deps), /127\.0\.0\.1:1\/x\) cannot be opened: .*ECONNREFUSED/)
  })
}
