import assert from 'node:assert/strict'
import { it } from 'node:test'
import { systemClock, systemLoopMeter, systemRandom } from './system.ts'

it('a sleep ends after its time, or with the reason of its signal', async () => {
  const before = systemClock.monotonic()
  await systemClock.sleep(5)
  assert.ok(systemClock.monotonic() - before >= 4)
  const reason = new Error('stop')
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(reason)), reason)
  const controller = new AbortController()
  const sleeping = systemClock.sleep(60_000, controller.signal)
  controller.abort(reason)
  await assert.rejects(sleeping, reason)
})

it('a cancelled timer does not fire', async () => {
  let fired = false
  const timer = systemClock.setTimeout(() => (fired = true), 1)
  timer.cancel()
  await systemClock.sleep(5)
  assert.equal(fired, false)
})

it('a deferred call comes later, but before any timer', async () => {
  const order: string[] = []
  await new Promise<void>((resolve) => {
    systemClock.setTimeout(() => {
      systemClock.setTimeout(() => resolve(), 0)
      systemClock.defer(() => order.push('deferred'))
      order.push('now')
    }, 0)
  })
  assert.deepEqual(order, ['now', 'deferred'])
})

it('tokens have the length asked for and use all 62 characters evenly', () => {
  assert.equal(systemRandom.token(0), '')
  const token = systemRandom.token(62_000)
  assert.match(token, /^[A-Za-z0-9]{62000}$/)
  const counts = new Map<string, number>()
  for (const character of token) counts.set(character, (counts.get(character) ?? 0) + 1)
  assert.equal(counts.size, 62)
  // 1,000 of each expected, with a deviation of about 31; seven deviations away is no accident.
  for (const [character, count] of counts) assert.ok(Math.abs(count - 1000) < 220, `${character}: ${count}`)
})

it('random bytes are bytes of their own, and fractions stay within [0, 1)', () => {
  const bytes = systemRandom.bytes(32)
  assert.deepEqual([bytes.length, bytes.buffer.byteLength], [32, 32])
  assert.notDeepEqual(bytes, systemRandom.bytes(32))
  const fraction = systemRandom.fraction()
  assert.ok(fraction >= 0 && fraction < 1)
})

it('the loop meter tells a busy stretch from a quiet one', async () => {
  const busyShare = systemLoopMeter()
  await systemClock.sleep(0)
  busyShare()
  const until = systemClock.monotonic() + 20
  while (systemClock.monotonic() < until);
  await systemClock.sleep(0)
  const busy = busyShare()
  await systemClock.sleep(50)
  const quiet = busyShare()
  assert.ok(busy > quiet, `${busy} and ${quiet}`)
  assert.ok(busy > 0 && busy <= 1 && quiet >= 0)
})
