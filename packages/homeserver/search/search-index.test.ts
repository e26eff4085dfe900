import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Database } from '@causeway/store/db/database.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { newRoom, say } from '../jobs/jobs-suite.ts'
import { createLogger } from '../ops/log.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { countHits, openIndex } from './index-suite.ts'

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))

/** Kills the child when its `nth` write begins. Answers whether it came to its end before that. */
async function runAndKill(config: DatabaseConfig, nth: number): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let [writes, done] = [0, false]
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'done') done = true
    else if (++writes === nth) child.kill('SIGKILL')
  }
  await ended
  return done
}

/** Gives every other message a number of the second sequence, as if it had been fetched from another server. */
async function turnIntoHistory(db: Database): Promise<void> {
  const messages = 'nid % 2 = 0 AND state_nid = 0'
  await db.commit({
    entries: [],
    steps: [
      { sql: `UPDATE events SET nid = -nid WHERE ${messages}`, params: [] },
      { sql: 'UPDATE log_state SET historical = (SELECT MIN(nid) FROM events)', params: [] },
    ],
  })
}

for (const driver of await findTestDrivers()) {
  describe(`the search index on ${driver.name}`, { skip: driver.skip }, () => {
    it('fills itself from a database that has messages and history, and then follows what is said', async () => {
      await using target = await driver.create()
      {
        await using fixture = await openIndex(target.config)
        const roomId = await newRoom(fixture.engine)
        const said = Array.from({ length: 120 }, (_, n) => say(fixture.engine, roomId, `every word ${n}`))
        await Promise.all(said)
        await turnIntoHistory(fixture.db)
        assert.deepEqual(await countHits(fixture.db, 'every'), { hits: 0, documents: 0 })
      }
      await using fixture = await openIndex(target.config, { batch: 50 })
      await fixture.fill()
      assert.deepEqual(await countHits(fixture.db, 'every'), { hits: 120, documents: 120 })
      assert.equal(fixture.index.behind(), 0)
      const roomId = await newRoom(fixture.engine)
      await say(fixture.engine, roomId, 'every other')
      assert.equal(await fixture.index.caughtUp(), true)
      assert.deepEqual(await countHits(fixture.db, 'every'), { hits: 121, documents: 121 })
    })

    it('has neither gaps nor doubles after it was killed at any of its writes', async (test) => {
      await using target = await driver.create()
      {
        await using fixture = await openIndex(target.config)
        const roomId = await newRoom(fixture.engine)
        await Promise.all(
          Array.from({ length: 160 }, (_, n) => say(fixture.engine, roomId, `every word ${n}`)),
        )
        await turnIntoHistory(fixture.db)
      }
      let kills = 0
      // The first two writes of a run make the rows of the cursors.
      while (!(await runAndKill(target.config, 4 + (kills % 3)))) {
        kills++
        assert.ok(kills < 40, 'it gets further each time')
      }
      test.diagnostic(`killed ${kills} times`)
      assert.ok(kills >= 2, `killed only ${kills} times`)
      await using fixture = await openIndex(target.config)
      await fixture.fill()
      assert.deepEqual(await countHits(fixture.db, 'every'), { hits: 160, documents: 160 })
    })
  })
}

it('tells the operator how far a large index has got', async () => {
  const { createProgress } = await import('./progress.ts')
  const lines: string[] = []
  const logger = createLogger({
    level: 'info',
    format: 'json',
    clock: systemClock,
    write: (line) => lines.push(line),
  })
  const progress = createProgress(logger, 'messages')
  for (let at = 0; at <= 40_000; at += 1_000) progress.at(at, 40_000 + at / 100)
  progress.at(40_100, 40_400)
  const told = lines.map((line) => JSON.parse(line) as { percent?: number; left?: number })
  assert.deepEqual(
    told.map(({ percent }) => percent),
    [undefined, 10, 20, 30, 40, 50, 60, 70, 80, 90, undefined],
  )
  assert.equal(told[0]!.left, 40_000)
})
