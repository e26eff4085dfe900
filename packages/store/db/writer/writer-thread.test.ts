import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { systemClock } from '../../clock/system.ts'
import { CommitQueue } from '../commit-queue.ts'
import { sqliteTarget } from '../conformance/targets.ts'
import { accepted, entry, one, suiteSigner, thing, THINGS } from '../conformance/fixture.ts'
import { openSqliteWriter } from '../sqlite-connection.ts'
import { WriterThread } from './writer-thread.ts'

const ENTRY = new URL('./sqlite-worker.ts', import.meta.url)

it('the death of the writer thread rejects every commit that waits, and every later one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-writer-'))
  const path = join(folder, 'store.db')
  const db = openSqliteWriter(path)
  db.exec('CREATE TABLE log_state (id INTEGER PRIMARY KEY, position INTEGER, historical INTEGER, epoch TEXT)')
  db.exec('CREATE TABLE rooms (nid INTEGER PRIMARY KEY, version INTEGER, head TEXT)')
  db.exec("INSERT INTO log_state VALUES (1, 0, 0, 'x')")
  db.close()
  const failures: string[] = []
  const data = { path, signer: suiteSigner }
  const late: { queue?: CommitQueue } = {}
  const writer = await WriterThread.start(ENTRY, data, 'test-writer', (error) => late.queue?.fail(error))
  const queue = (late.queue = new CommitQueue({
    clock: systemClock,
    writer,
    onFailure: (error) => failures.push(error.message),
  }))
  queue.settleMemory()
  assert.equal((await queue.commit({ entries: [entry()], steps: [] })).ok, true)
  // A thread ends only between statements: long enough to be caught in one, short enough to wait for.
  const slow = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT COUNT(*) FROM n`
  const stuck = Array.from({ length: 3 }, () =>
    queue.commit({ entries: [], steps: [{ sql: slow, params: [] }] }),
  )
  const outcomes = Promise.allSettled(stuck)
  await new Promise((resolve) => systemClock.defer(() => resolve(undefined)))
  await writer.worker.terminate()
  for (const outcome of await outcomes) {
    assert.match(String(outcome.status === 'rejected' && outcome.reason), /writer thread ended/)
  }
  await assert.rejects(queue.commit({ entries: [], steps: [] }), /writer thread ended/)
  assert.equal(failures.length, 1)
  await writer.close()
  rmSync(folder, { recursive: true })
})

it('a writer that cannot open its database says why', async () => {
  const data = { path: join(tmpdir(), 'no', 'such', 'folder', 'store.db'), signer: suiteSigner }
  await assert.rejects(
    WriterThread.start(ENTRY, data, 'test-writer', () => undefined),
    /unable to open database file/,
  )
})

it('a full disk fails the commits it hits and nothing else', async () => {
  const { db, cleanUp } = await sqliteTarget(false).create()
  const [pages] = await db.query<{ page_count: number }>('PRAGMA page_count', [])
  const limit = (count: number) =>
    db.commit({
      entries: [],
      steps: [
        { sql: `PRAGMA max_page_count = ${count}`, params: [] },
        { sql: 'SELECT 1', params: [] },
      ],
    })
  await limit(pages!.page_count + 10)
  const big = { into: THINGS, values: [{ position: 0 }, 'big', null, new Uint8Array(500_000)] } as const
  await assert.rejects(db.commit({ entries: [entry()], steps: [big] }), /the commit failed.*full/)
  const { positions } = await accepted(db, thing('small'))
  assert.deepEqual(positions, [1])
  await limit(1_000_000)
  await accepted(db, { entries: [entry()], steps: [big] })
  assert.equal((await one(db, 'SELECT COUNT(*) AS n FROM things'))['n'], 2)
  await db[Symbol.asyncDispose]()
  await cleanUp()
})
