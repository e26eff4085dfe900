import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { systemClock, systemRandom } from '../../clock/system.ts'
import { CommitQueue } from '../commit-queue.ts'
import { suiteMigrations, suiteSigner, thing } from '../conformance/fixture.ts'
import { openDatabase } from '../open.ts'
import { postgresWriterFile } from '../program-files.ts'
import { createPduSigner } from '../signer.ts'
import { GrowingWriter } from './growing-writer.ts'
import { holdDatabase } from './postgres-hold.ts'
import { PostgresSession } from './postgres-session.ts'
import { PostgresWriter } from './postgres-writer.ts'
import { WriterThread } from './writer-thread.ts'

const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }

const server = await sharedPostgres()
if ('skip' in server) {
  it(
    'the writer of PostgreSQL gets a thread when there is much to write',
    { skip: server.skip },
    () => undefined,
  )
} else {
  /** A database with its tables, and a queue over a writer that may grow. */
  const setUp = async (startThread?: () => Promise<WriterThread>) => {
    const url = await server.createDatabase()
    await (await openDatabase({ kind: 'postgres', url }, deps))[Symbol.asyncDispose]()
    const own = await PostgresWriter.open(url, createPduSigner(suiteSigner), 'alone')
    const warnings: string[] = []
    const failures: string[] = []
    const late: { queue?: CommitQueue } = {}
    const data = { url, signer: suiteSigner, role: 'successor' }
    const writer = new GrowingWriter(own, {
      busy: { writes: 100, withinMs: 600_000 },
      clock: systemClock,
      log: { warn: (message) => void warnings.push(message) },
      onDeath: (error) => late.queue?.fail(error),
      startThread:
        startThread ?? ((onDeath) => WriterThread.start(postgresWriterFile, data, 'test', onDeath)),
    })
    const onFailure = (error: Error): unknown => failures.push(error.message)
    const queue = (late.queue = new CommitQueue({ clock: systemClock, writer, onFailure }))
    const session = await PostgresSession.open(url, 'test')
    const end = async (): Promise<void> => {
      await queue.close()
      await writer.close()
      await session.close()
    }
    return { url, writer, queue, session, warnings, failures, [Symbol.asyncDispose]: end }
  }

  const write = async (queue: CommitQueue, name: string): Promise<readonly number[]> => {
    const result = await queue.commit(thing(name))
    assert.ok(result.ok)
    return result.positions
  }

  let things = 0
  /** Writes, some at a time, until it is so. */
  const writeUntil = async (queue: CommitQueue, isSo: () => boolean): Promise<number[]> => {
    const positions: number[] = []
    while (!isSo()) {
      const names = Array.from({ length: 25 }, () => `thing ${++things}`)
      for (const taken of await Promise.all(names.map((name) => write(queue, name)))) positions.push(...taken)
    }
    return positions
  }

  /** Ends the connections of writers, as a server that starts anew does. */
  const cutOff = (session: PostgresSession) =>
    session.send(
      `SELECT pg_terminate_backend(pid, 60000) AS ended FROM pg_stat_activity
       WHERE application_name = 'causeway-writer' AND datname = current_database()`,
    )

  it('with little to do it has no thread, and a busy one gets one; no position is missing or taken twice', async () => {
    await using stage = await setUp()
    const { writer, queue, session } = stage
    await write(queue, 'quiet')
    assert.equal(writer.hasThread, false)
    const positions = await writeUntil(queue, () => writer.hasThread)
    positions.push(...(await write(queue, 'after')))
    assert.deepEqual(
      positions,
      positions.map((_, index) => index + 2),
    )
    const { rows } = await session.send('SELECT name FROM things ORDER BY nid')
    assert.equal(rows.length, positions.length + 1)
    assert.equal(rows.at(-1)?.['name'], 'after')
    // One connection writes, and only one is left.
    const writers = `SELECT 1 AS one FROM pg_stat_activity WHERE application_name = 'causeway-writer' AND datname = current_database()`
    while ((await session.send(writers)).rows.length !== 1) await sleep(5)
  })

  it('nobody else gets the database while one writer succeeds another', async () => {
    await using stage = await setUp()
    const { url, writer, queue } = stage
    const rival = await PostgresSession.open(url, 'rival')
    let won = false
    const waiting = holdDatabase(rival, 600_000).then(
      () => (won = true),
      () => undefined,
    )
    await writeUntil(queue, () => writer.hasThread)
    await write(queue, 'ours')
    const late = await PostgresSession.open(url, 'late rival')
    await assert.rejects(holdDatabase(late, 200), /in use by another Causeway process/)
    await write(queue, 'still ours')
    assert.equal(won, false)
    await late.close()
    await rival.close()
    await waiting
  })

  it('a connection that is lost before or after is opened anew, and writing goes on', async () => {
    await using stage = await setUp()
    const { writer, queue, session, failures } = stage
    const untilWritten = async (name: string): Promise<void> => {
      // The batch that notices the loss may fail.
      while (!(await write(queue, name).catch(() => undefined))) await sleep(5)
    }
    await write(queue, 'first')
    await cutOff(session)
    await untilWritten('second')
    await writeUntil(queue, () => writer.hasThread)
    await cutOff(session)
    await untilWritten('last')
    assert.deepEqual(failures, [])
    const { rows } = await session.send(
      `SELECT count(*) AS n FROM things WHERE name IN ('first', 'second', 'last')`,
    )
    assert.equal(Number(rows[0]?.['n']), 3)
  })

  it('where a thread cannot be started, writing goes on without one, and the log says so once', async () => {
    await using stage = await setUp(() => Promise.reject(new Error('too many connections')))
    const { writer, queue, warnings, failures } = stage
    await writeUntil(queue, () => warnings.length > 0)
    await writeUntil(queue, () => queue.stats.writes > 500)
    assert.equal(writer.hasThread, false)
    assert.match(warnings.join(), /^A thread for writing .* too many connections\. It is tried again/)
    assert.deepEqual(failures, [])
  })
}
