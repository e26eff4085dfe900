import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSingleFlight } from './single-flight.ts'

test('concurrent loads of one key share one promise and are forgotten afterwards', async () => {
  const flights = createSingleFlight<string, number>()
  let loads = 0
  const load = async (): Promise<number> => ++loads
  assert.deepEqual(await Promise.all([flights.run('a', load), flights.run('a', load)]), [1, 1])
  assert.equal(flights.size(), 0)
  assert.equal(await flights.run('a', load), 2)
})

test('a failed load fails all who share it, and the next call tries again', async () => {
  const flights = createSingleFlight<string, number>()
  const failing = (): Promise<number> => {
    throw new Error('no disk')
  }
  const both = await Promise.allSettled([flights.run('a', failing), flights.run('a', failing)])
  assert.deepEqual(
    both.map((result) => result.status),
    ['rejected', 'rejected'],
  )
  assert.equal(await flights.run('a', async () => 7), 7)
})

test('a forgotten load learns that it must not be cached and is not joined', async () => {
  const flights = createSingleFlight<string, string>()
  const gate = Promise.withResolvers<void>()
  let oldIsCurrent = true
  const old = flights.run('a', async (isCurrent) => {
    await gate.promise
    oldIsCurrent = isCurrent()
    return 'old'
  })
  flights.forget('a')
  const fresh = flights.run('a', async (isCurrent) => {
    await gate.promise
    return isCurrent() ? 'new' : 'outdated'
  })
  gate.resolve()
  assert.deepEqual(await Promise.all([old, fresh]), ['old', 'new'])
  assert.equal(oldIsCurrent, false)
})
