import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { systemClock, systemRandom } from '../../clock/system.ts'
import { accepted, suiteMigrations, suiteSigner, thing } from '../conformance/fixture.ts'
import { openDatabase } from '../open.ts'
import { holdDatabase } from './postgres-hold.ts'
import { PostgresSession } from './postgres-session.ts'

const WRITER = new URL('./killed-writer.ts', import.meta.url).pathname
const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }

const server = await sharedPostgres()
if ('skip' in server) {
  it('PostgreSQL is held by one process', { skip: server.skip }, () => undefined)
} else {
  it('whoever comes after a killed process waits until what that one had sent is committed', async () => {
    const url = await server.createDatabase()
    const child = spawn(process.execPath, [WRITER, url], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    const lock = await PostgresSession.open(url, 'test')
    await lock.send('BEGIN')
    await lock.send('LOCK TABLE things IN EXCLUSIVE MODE')
    child.stdin.write('go')
    const waiting = `SELECT 1 AS one FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO things%'`
    // Inside its transaction the other session would see only what was going on at its first look.
    const watch = await PostgresSession.open(url, 'test')
    while ((await watch.send(waiting)).rows.length === 0) await sleep(5)
    await watch.close()
    child.kill('SIGKILL')
    await once(child, 'close')

    const next = openDatabase({ kind: 'postgres', url }, deps)
    let opened = false
    void next.then(() => (opened = true))
    await sleep(500)
    assert.equal(opened, false)
    await lock.send('COMMIT')
    await lock.close()
    await using db = await next
    const find = 'SELECT nid, name FROM things ORDER BY nid'
    assert.deepEqual(await db.query(find, []), [
      { nid: 1, name: 'before' },
      { nid: 2, name: 'of the killed' },
    ])
    assert.deepEqual((await accepted(db, thing('of the next'))).positions, [3])
  })

  it('a second process is told who has the database, and may have it when that one has ended', async () => {
    const url = await server.createDatabase()
    const db = await openDatabase({ kind: 'postgres', url }, deps)
    const session = await PostgresSession.open(url, 'test')
    await assert.rejects(
      holdDatabase(session, 50),
      /in use by another Causeway process \(connected from 127\.0\.0\.1 since \d.*, server process \d+\)\. Stop that one/,
    )
    await db[Symbol.asyncDispose]()
    await holdDatabase(session, 90_000)
    await session.close()
  })

  it('a commit that was applied although its answer was lost ends the process, which knows nothing of it', async () => {
    const failures: string[] = []
    const url = await server.createDatabase()
    const onFailure = (error: Error): unknown => failures.push(error.message)
    await using db = await openDatabase({ kind: 'postgres', url }, { ...deps, onFailure })
    await accepted(db, thing('a'))
    const session = await PostgresSession.open(url, 'test')
    await session.send('UPDATE log_state SET position = position + 1')
    await session.close()
    await assert.rejects(db.commit(thing('b')), /the log is at 2, and not at 1/)
    await assert.rejects(db.commit(thing('c')), /takes no more writes/)
    assert.equal(failures.length, 1)
  })
}
