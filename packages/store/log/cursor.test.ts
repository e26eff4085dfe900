import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { systemClock } from '../clock/system.ts'
import type { Clock } from '../clock/clock.ts'
import type { Database } from '../db/database.ts'
import { CursorTakenOver, runCursor } from './cursor.ts'
import type { CursorOptions, ReadEntries } from './cursor.ts'
import { findTestDrivers, openTestLog } from './databases-suite.ts'
import type { TestLog } from './databases-suite.ts'
import { sampleToDevice } from './sample-entries.ts'

/** Pauses end at once. */
const hastyClock: Clock = { ...systemClock, sleep: async () => undefined }

/** Stands in for the tables: entries are to-device messages whose user's number is their position. */
const readEntries: ReadEntries = async (after, upTo, limit) => {
  const through = Math.min(upTo, after + limit)
  const entries = Array.from({ length: through - after }, (_, i) =>
    sampleToDevice(after + 1 + i, after + 1 + i),
  )
  return { entries, through }
}

const append = (store: TestLog, count: number): Promise<unknown> =>
  Promise.all(
    Array.from({ length: count }, () => store.log.append({ entries: [sampleToDevice(1)], steps: [] })),
  )

function options(handle: CursorOptions['handle'], more: Partial<CursorOptions> = {}): CursorOptions {
  return {
    name: 'test',
    handle,
    read: readEntries,
    from: 0,
    onError: (error) => assert.fail(String(error)),
    ...more,
  }
}

const start = (store: TestLog, opts: CursorOptions): ReturnType<typeof runCursor> =>
  runCursor({ ...store, clock: hastyClock }, opts)

async function savedPosition(db: Database, name = 'test'): Promise<number> {
  return Number((await db.query('SELECT position FROM cursors WHERE name = ?', [name]))[0]!['position'])
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: a cursor gets every entry once, in order, from the tables and then from the ring`,
    { skip },
    async () => {
      await using database = await create()
      {
        await using store = await openTestLog(database.config)
        await append(store, 500)
      }
      await using store = await openTestLog(database.config)
      const seen: number[] = []
      await using cursor = await start(
        store,
        options(async (entries) => void seen.push(...entries.map((entry) => entry.position)), {
          maxBatch: 70,
        }),
      )
      await append(store, 50)
      await cursor.reached(550)
      await append(store, 1)
      await cursor.reached(551)
      assert.deepEqual(
        seen,
        Array.from({ length: 551 }, (_, i) => i + 1),
      )
    },
  )

  test(
    `${name}: effects and position are one write, and a restart goes on from there`,
    { skip },
    async () => {
      await using database = await create()
      const seen: number[] = []
      const effects: CursorOptions['handle'] = async (entries) => {
        seen.push(...entries.map((entry) => entry.position))
        const last = entries.at(-1)!.position
        return {
          steps: [
            {
              sql: 'UPDATE cursors SET position = ? WHERE name = ?',
              params: [last, 'effect'],
              expectRows: 1,
            },
          ],
        }
      }
      for (let round = 1; round <= 3; round++) {
        await using store = await openTestLog(database.config)
        await using _other = await start(
          store,
          options(async () => undefined, { name: 'effect', from: 100 * round }),
        )
        await using cursor = await start(store, options(effects))
        await append(store, 10)
        await cursor.reached(round * 10)
        assert.equal(await savedPosition(store.db), round * 10)
        assert.equal(await savedPosition(store.db, 'effect'), round * 10)
      }
      assert.equal(new Set(seen).size, 30)
      assert.equal(seen.length, 30)
    },
  )

  test(`${name}: without effects the position is saved now and then, and on leaving`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const cursor = await start(
      store,
      options(async () => undefined, { saveEvery: 20, maxBatch: 5 }),
    )
    await append(store, 5)
    await cursor.reached(5)
    assert.equal(await savedPosition(store.db), 0)
    await append(store, 18)
    await cursor.reached(23)
    await cursor[Symbol.asyncDispose]()
    assert.equal(await savedPosition(store.db), 23)
    await assert.rejects(cursor.reached(24), /ended/)
  })

  test(`${name}: a failure is reported and the same entries come again`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const errors: string[] = []
    const seen: number[] = []
    let failures = 3
    const handle: CursorOptions['handle'] = async (entries) => {
      if (failures-- > 0) throw new Error('the gateway is away')
      seen.push(...entries.map((entry) => entry.position))
    }
    await using cursor = await start(
      store,
      options(handle, { onError: (error) => errors.push(String(error)) }),
    )
    await append(store, 4)
    await cursor.reached(4)
    assert.deepEqual(seen, [1, 2, 3, 4])
    assert.equal(errors.length, 3)
  })

  test(`${name}: refused effects are a failure, and nothing of them stays`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const errors: string[] = []
    let attempts = 0
    const handle: CursorOptions['handle'] = async () => {
      attempts++
      const sql = 'UPDATE cursors SET position = position WHERE name = ?'
      return { steps: [{ sql, params: [attempts === 1 ? 'nobody' : 'test'], expectRows: 1 }] }
    }
    await using cursor = await start(
      store,
      options(handle, { onError: (error) => errors.push(String(error)) }),
    )
    await append(store, 1)
    await cursor.reached(1)
    assert.equal(attempts, 2)
    assert.match(errors[0]!, /refused \(step 0: precondition\)/)
  })

  test(`${name}: of two cursors with one name the slower stops without an effect`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const gate = Promise.withResolvers<void>()
    const errors: unknown[] = []
    const slow = await start(
      store,
      options(
        async () => {
          await gate.promise
          return { entries: [sampleToDevice(99)] }
        },
        { onError: (error) => errors.push(error) },
      ),
    )
    await using quick = await start(
      store,
      options(async () => ({})),
    )
    await append(store, 1)
    await quick.reached(1)
    gate.resolve()
    await assert.rejects(slow.ended, CursorTakenOver)
    assert.equal(errors.length, 1)
    assert.equal(store.log.head(), 1)
  })

  test(
    `${name}: a commit whose answer was lost is neither repeated nor taken for a rival's`,
    { skip },
    async () => {
      await using database = await create()
      await using store = await openTestLog(database.config)
      let lose = true
      const db: Database = Object.create(store.db, {
        commit: {
          value: async (write: Parameters<Database['commit']>[0]) => {
            const result = await store.db.commit(write)
            if (!lose || !write.steps.some((step) => 'sql' in step)) return result
            lose = false
            throw new Error('connection lost during COMMIT')
          },
        },
        query: { value: store.db.query.bind(store.db) },
      }) as Database
      const seen: number[] = []
      const errors: unknown[] = []
      await using cursor = await runCursor(
        { ...store, db, clock: hastyClock },
        options(
          async (entries) => {
            seen.push(...entries.map((entry) => entry.position))
            return {}
          },
          { onError: (error) => errors.push(error), maxBatch: 1 },
        ),
      )
      await append(store, 3)
      await cursor.reached(3)
      assert.deepEqual(seen, [1, 2, 3])
      assert.equal(errors.length, 1)
    },
  )

  test(
    `${name}: a reader that does not get on is an error, not a busy loop without end`,
    { skip },
    async () => {
      await using database = await create()
      await using store = await openTestLog(database.config, 2)
      await append(store, 10)
      const reported = Promise.withResolvers<unknown>()
      await using _cursor = await start(
        store,
        options(async () => undefined, {
          read: async (after) => ({ entries: [], through: after }),
          onError: (error) => reported.resolve(error),
        }),
      )
      assert.match(String(await reported.promise), /without getting any further/)
    },
  )

  test(`${name}: kill -9 between any two steps loses no entry and repeats no effect`, { skip }, async () => {
    await using database = await create()
    const worker = new URL('./cursor-crash-worker.ts', import.meta.url).pathname
    const total = 60
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, [worker, JSON.stringify(database.config), String(total)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let lines = 0
      child.stdout.on('data', (text: Buffer) => {
        lines += text.toString().split('\n').length - 1
        // At another step each round; the last one may finish.
        if (round < 3 && lines >= 5 + round * 15) child.kill('SIGKILL')
      })
      const [code] = await once(child, 'close')
      if (code === 0) break
      assert.ok(round < 3, `the last round ended with ${code}`)
    }
    await using store = await openTestLog(database.config)
    // Each entry's effect is one more row: the entries' numbers, each once.
    const rows = await store.db.queryLarge("SELECT name FROM cursors WHERE name LIKE 'done %'", [])
    assert.equal(rows.length, total)
    assert.equal(await savedPosition(store.db), total)
  })
}
