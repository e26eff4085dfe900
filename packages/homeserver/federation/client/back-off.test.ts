import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findTestDrivers, openTestLog } from '@causeway/store/log/databases-suite.ts'
import { listFailingDestinations } from '@causeway/store/tables/destinations.ts'
import { countingRandom } from '@causeway/testkit/irc/manual-clock.ts'
import { silentLogger } from '../../ops/log.ts'
import { createAddressGuard } from '../../outgoing/address-guard.ts'
import { createOutgoing } from '../../outgoing/outgoing.ts'
import { shiftedClock, type ShiftedClock } from '../keys/test-key-world.ts'
import { createDestinations, FIRST_WAIT_MS, MAX_WAIT_MS, type Destinations } from './destinations.ts'

const name = (label: string): ServerName => `${label}.test` as ServerName

for (const driver of await findTestDrivers()) {
  describe(`destinations on ${driver.name}`, { skip: driver.skip }, () => {
    const stack = new AsyncDisposableStack()
    let db: Database
    before(async () => {
      const database = stack.use(await driver.create())
      db = stack.use(await openTestLog(database.config)).db
    })
    after(() => stack.disposeAsync())
    const open = (clock: ShiftedClock): Promise<Destinations> =>
      createDestinations({
        db,
        clock,
        random: countingRandom(),
        budget: createMemoryBudget(10_000_000),
        logger: silentLogger,
      })

    it('that fail are left alone ever longer, up to hours, and count failures that came together once', async () => {
      const clock = shiftedClock()
      await using destinations = await open(clock)
      const waits: number[] = []
      for (let i = 0; i < 15; i++) {
        const now = clock.now()
        await Promise.all([1, 2, 3].map(() => destinations.failed(name('a'), now, 'refused')))
        const { retryTs } = (await destinations.find(name('a')))!
        waits.push(Math.round((retryTs - now) / 1000))
        clock.shift(retryTs - now + 1)
      }
      assert.equal(waits[0], FIRST_WAIT_MS / 1000)
      assert.deepEqual(waits.slice(0, 4), [10, 20, 40, 80])
      assert.equal(waits.at(-1), MAX_WAIT_MS / 1000)
      assert.equal((await destinations.find(name('a')))?.failures, 15)
      assert.equal(destinations.failing(), 1)
    })

    it('are known after a restart, and healed by a sign of life', async () => {
      const clock = shiftedClock()
      const failedTs = clock.now()
      {
        await using before = await open(clock)
        await before.failed(name('b'), failedTs, 'x'.repeat(1000))
        await before.failed(name('c'), failedTs, 'gone')
      }
      {
        await using after = await open(clock)
        const known = await after.find(name('b'))
        assert.deepEqual([known?.failures, known?.lastError.length], [1, 300])
        assert.ok(known!.failingSinceTs >= failedTs && known!.failingSinceTs <= clock.now())
        // Not read before: the sign of life has to reach the table all the same.
        after.answered(name('c'))
        after.answered(name('c'))
        after.answered(name('b'))
        assert.equal(await after.find(name('b')), undefined)
        await after[Symbol.asyncDispose]()
        assert.equal(after.failing(), 1, 'each is counted once')
      }
      const left = await listFailingDestinations(db, '', 100)
      assert.deepEqual(
        left.map(({ serverName }) => serverName).filter((one) => one !== 'a.test'),
        [],
      )
      await using later = await open(clock)
      assert.equal(await later.find(name('b')), undefined)
      assert.equal(await later.find(name('c')), undefined)
    })
  })
}

it('a request to nowhere ends as it should even when the guard has closed every way', async () => {
  const clock = shiftedClock()
  const resolver = { addresses: async () => ['10.0.0.1', '::1'], srv: async () => [] }
  using outgoing = createOutgoing({ clock, resolver, guard: createAddressGuard([]) })
  const request = { host: 'a.test', port: 8448, tlsName: 'a.test', method: 'GET', path: '/', headers: {} }
  await assert.rejects(outgoing.send({ ...request, timeoutMs: 1000 }), { name: 'AddressRefused' })
})
