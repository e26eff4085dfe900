import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { systemClock } from '../../clock/system.ts'
import { PostgresSession, postgresOptions } from '../writer/postgres-session.ts'
import { PostgresPool } from './postgres-pool.ts'

const server = await sharedPostgres()
const LOCK = 77

async function ask(pool: PostgresPool, sql: string): Promise<unknown> {
  const [row] = await pool.use((connection) => connection.unsafe(sql).execute())
  return row?.['answer']
}

/** Which connection answers. */
const whoAnswers = (pool: PostgresPool): Promise<unknown> => ask(pool, 'SELECT pg_backend_pid() AS answer')

/** A read that is not answered before somebody gives the lock back. */
const readLocked = (pool: PostgresPool): Promise<unknown> =>
  ask(pool, `SELECT pg_advisory_xact_lock_shared(${LOCK}) IS NOT NULL AS answer`)

const nextTurn = (): Promise<void> => new Promise((resolve) => systemClock.defer(resolve))

interface Fixture extends AsyncDisposable {
  readonly pool: PostgresPool
  /** Another session, which holds the lock. */
  readonly holder: PostgresSession
}

async function openFixture(size: number): Promise<Fixture> {
  if ('skip' in server) throw new Error(server.skip)
  const url = await server.createDatabase()
  const holder = await PostgresSession.open(url, 'pool-test')
  await holder.send(`SELECT pg_advisory_lock(${LOCK}) IS NULL AS held`)
  const pool = new PostgresPool({ url, connection: postgresOptions('pool-test'), size, clock: systemClock })
  return {
    pool,
    holder,
    [Symbol.asyncDispose]: async () => {
      await holder.close()
      await pool.close()
    },
  }
}

const release = ({ holder }: Fixture): Promise<unknown> =>
  holder.send(`SELECT pg_advisory_unlock(${LOCK}) AS done`)

describe('connections for reading', { skip: 'skip' in server && server.skip }, () => {
  it('one is enough for reads that come one after another or in one turn', async () => {
    await using fixture = await openFixture(4)
    const { pool } = fixture
    const answered = new Set<unknown>()
    for (let n = 0; n < 20; n++) answered.add(await whoAnswers(pool))
    for (const pid of await Promise.all([1, 2, 3].map(() => whoAnswers(pool)))) answered.add(pid)
    assert.equal(answered.size, 1)
    assert.equal(pool.size, 1)
  })

  it('a read that takes long has nobody wait who comes after it', async () => {
    await using fixture = await openFixture(4)
    const { pool } = fixture
    const first = await whoAnswers(pool)
    const slow = readLocked(pool)
    await nextTurn()
    assert.notEqual(await whoAnswers(pool), first)
    assert.equal(pool.size, 2)
    await release(fixture)
    assert.ok((await slow) !== undefined)
    assert.equal(await whoAnswers(pool), first)
  })

  it('a process that was busy itself looks at what has come before it opens another', async () => {
    await using fixture = await openFixture(4)
    const { pool } = fixture
    const first = await whoAnswers(pool)
    const earlier = ask(pool, 'SELECT pg_backend_pid() AS answer FROM pg_sleep(0.3)')
    // By then it is on its way to the server, which does not answer before the process is busy.
    for (let turn = 0; turn < 10; turn++) await nextTurn()
    const waiting = whoAnswers(pool)
    // Longer than its patience, and enough for the server to answer.
    const until = systemClock.monotonic() + 2000
    while (systemClock.monotonic() < until);
    assert.deepEqual(await Promise.all([earlier, waiting]), [first, first])
    assert.equal(pool.size, 1)
  })

  it('opens no more than it may; what comes then is answered in its turn', async () => {
    await using fixture = await openFixture(2)
    const { pool } = fixture
    const slow: Promise<unknown>[] = []
    for (let n = 0; n < 4; n++) {
      slow.push(readLocked(pool))
      await nextTurn()
    }
    const after = whoAnswers(pool)
    while (pool.size < 2) await nextTurn()
    await release(fixture)
    await Promise.all(slow)
    assert.equal(typeof (await after), 'number')
    assert.equal(pool.size, 2)
  })

  it('a connection that the server closed is opened anew', async () => {
    await using fixture = await openFixture(2)
    const { pool, holder } = fixture
    const first = await whoAnswers(pool)
    await holder.send(`SELECT pg_terminate_backend(${String(first)}) AS done`)
    while (pool.size > 0) await nextTurn()
    assert.notEqual(await whoAnswers(pool), first)
  })
})
