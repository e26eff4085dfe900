import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { JobRefused, type JobKind } from './job.ts'
import { silentLogger, type Logger } from '../ops/log.ts'
import { holdAnswers } from '../test-held-database.ts'
import { openJobs } from './jobs-suite.ts'
import { createJobs } from './runner.ts'

/** A clock on which seconds are a few microseconds long. */
const HASTE = 1e5
const hasty: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * HASTE,
  setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, ms / HASTE, options),
}

const count = (run: JobKind['run']): JobKind => ({ name: 'count', run })

for (const driver of await findTestDrivers()) {
  describe(`the runner of jobs on ${driver.name}`, { skip: driver.skip }, () => {
    it('goes on after a stop where it was', async () => {
      await using target = await driver.create()
      const seen: number[] = []
      const started = Promise.withResolvers<void>()
      const stops = count(async (work) => {
        for (let n = 0; n < 6; n++) {
          seen.push(n)
          if (n === 2) {
            started.resolve()
            await new Promise((_, reject) =>
              work.signal.addEventListener('abort', () => reject(work.signal.reason as Error)),
            )
          }
          await work.save({ n: n + 1 })
        }
      })
      {
        await using fixture = await openJobs(target.config, [stops])
        await fixture.jobs.start('count', 'x')
        await started.promise
      }
      const goesOn = count(async (work) => {
        for (let n = Number(work.progress['n']); n < 6; n++) {
          seen.push(n)
          await work.save({ n: n + 1 })
        }
      })
      await using fixture = await openJobs(target.config, [goesOn])
      fixture.jobs.wake()
      await fixture.jobs.idle()
      assert.deepEqual(seen, [0, 1, 2, 2, 3, 4, 5])
    })

    it('tries again what failed, with what was saved, and gives up what is refused', async () => {
      await using target = await driver.create()
      const attempts: unknown[] = []
      const { promise: done, resolve } = Promise.withResolvers<void>()
      const fails = count(async (work) => {
        if (work.subject === 'no') throw new JobRefused('It may not be')
        attempts.push(work.progress['n'] ?? 0)
        await work.save({ n: attempts.length })
        if (attempts.length < 3) throw new Error('the network was away')
        resolve()
      })
      await using fixture = await openJobs(target.config, [fails], hasty)
      const { id } = await fixture.jobs.start('count', 'x')
      const no = await fixture.jobs.start('count', 'no')
      await done
      await fixture.jobs.idle()
      assert.deepEqual(attempts, [0, 1, 2])
      assert.deepEqual((await findJob(fixture.engine.db, id))?.error, '')
      const refused = (await findJob(fixture.engine.db, no.id))!
      assert.deepEqual([refused.error, refused.finishedTs > 0], ['It may not be', true])
    })

    it('does nothing again that ended while the list was read', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { db: real, random } = fixture.engine
      const { db, hold } = holdAnswers(real)
      const [begun, mayEnd, done] = [
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
      ]
      const seen: unknown[] = []
      const kind = count(async (work) => {
        seen.push(work.progress['n'] ?? 0)
        await work.save({ n: 1 })
        begun.resolve()
        await mayEnd.promise
      })
      const logger: Logger = { ...silentLogger, info: () => done.resolve() }
      await using jobs = createJobs({ db, random, logger, clock: systemClock }, [kind])
      await jobs.start('count', 'x')
      await begun.promise
      const list = hold(/FROM jobs WHERE finished_ts = 0 ORDER BY/)
      jobs.wake()
      await list.read
      mayEnd.resolve()
      await done.promise
      await new Promise((resolve) => setImmediate(resolve))
      list.release()
      await jobs.idle()
      assert.deepEqual(seen, [0])
    })

    it('does a few at a time, each once', async () => {
      await using target = await driver.create()
      let [running, most] = [0, 0]
      const seen: string[] = []
      const slow = count(async (work) => {
        most = Math.max(most, ++running)
        seen.push(work.subject)
        await work.save({})
        running--
      })
      await using fixture = await openJobs(target.config, [slow])
      await Promise.all(Array.from({ length: 7 }, (_, i) => fixture.jobs.start('count', `s${i}`)))
      await fixture.jobs.idle()
      assert.deepEqual(seen.toSorted(), ['s0', 's1', 's2', 's3', 's4', 's5', 's6'])
      assert.equal(most, 2)
    })
  })
}
