import assert from 'node:assert/strict'
import { it } from 'node:test'
import { RateLimiter, type RateLimits } from './rate-limit.ts'

const OFF = { perSecond: 0, burst: 1 }
const LIMITS: RateLimits = {
  message: { perSecond: 2, burst: 3 },
  delayed: { perSecond: 2, burst: 3 },
  join: OFF,
  invite: OFF,
  createRoom: OFF,
  login: OFF,
  registration: OFF,
  profile: OFF,
  media: OFF,
  preview: OFF,
  email: OFF,
  keys: OFF,
  read: OFF,
  admin: OFF,
  federation: OFF,
  serverKeys: OFF,
  report: OFF,
}

function start(): { limiter: RateLimiter; clock: { time: number } } {
  const clock = { time: 1000, monotonic: () => clock.time }
  return { limiter: new RateLimiter(LIMITS, clock), clock }
}

it('allows a burst, then the rate, and says how long to wait', () => {
  const { limiter, clock } = start()
  const take = (): number => limiter.take('message', 'user', '@a:b')
  assert.deepEqual([take(), take(), take(), take()], [0, 0, 0, 500])
  clock.time += 499
  assert.equal(take(), 1)
  clock.time += 1
  assert.deepEqual([take(), take()], [0, 500])
  clock.time += 60_000
  assert.deepEqual([take(), take(), take(), take()], [0, 0, 0, 500])
})

it('counts people, addresses and names apart', () => {
  const { limiter } = start()
  for (let i = 0; i < 4; i += 1) limiter.take('message', 'user', 'x')
  assert.ok(limiter.take('message', 'user', 'x') > 0)
  assert.equal(limiter.take('message', 'user', 'y'), 0)
  assert.equal(limiter.take('message', 'address', 'x'), 0)
  assert.equal(limiter.take('join', 'user', 'x'), 0)
})

it('takes new rates, and rates of one principal’s own, while it runs', () => {
  const { limiter } = start()
  for (let i = 0; i < 3; i += 1) limiter.take('message', 'user', 'x')
  assert.equal(limiter.take('message', 'user', 'x', { perSecond: 0, burst: 1 }), 0)
  assert.equal(limiter.take('message', 'user', 'x', { perSecond: 1000, burst: 10_000 }), 0)
  assert.ok(limiter.take('message', 'user', 'x') > 0)
  limiter.adjust({ message: { perSecond: 2, burst: 10 } })
  assert.equal(limiter.take('message', 'user', 'x'), 0)
})

it('a flood of strangers stays bounded in memory and frees nobody who is blocked as a person', () => {
  const { limiter } = start()
  for (let i = 0; i < 4; i += 1) limiter.take('message', 'user', '@spammer:x')
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 300_000; i += 1) limiter.take('message', 'address', `10.${i}`)
  assert.ok(process.memoryUsage().heapUsed - before < 40_000_000)
  assert.ok(limiter.take('message', 'user', '@spammer:x') > 0)
})
