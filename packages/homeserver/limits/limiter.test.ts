import assert from 'node:assert/strict'
import { it } from 'node:test'
import { collectGarbage } from '@causeway/store/cache/collect-garbage.ts'
import { routesOf } from '../server.ts'
import { ACTION_NAMES, LIMITED_ACTIONS, type PrincipalKind } from './actions.ts'
import { RateLimiter, type RateLimits } from './limiter.ts'
import { NO_LIMITS } from './test-limits.ts'

const LIMITS: RateLimits = {
  ...NO_LIMITS,
  message: { perSecond: 2, burst: 3 },
  application_service: { perSecond: 2, burst: 5 },
}

function start(): { limiter: RateLimiter; clock: { time: number } } {
  const clock = { time: 1000, monotonic: () => clock.time }
  return { limiter: new RateLimiter(LIMITS, clock), clock }
}

const times = (count: number, take: () => number): number[] => Array.from({ length: count }, take)

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

it('counts people, addresses and actions apart', () => {
  const { limiter } = start()
  for (let i = 0; i < 4; i += 1) limiter.take('message', 'user', 'x')
  assert.ok(limiter.take('message', 'user', 'x') > 0)
  assert.equal(limiter.take('message', 'user', 'y'), 0)
  assert.equal(limiter.take('message', 'address', 'x'), 0)
  assert.equal(limiter.take('join', 'user', 'x'), 0)
})

it('counts all that an application service does together, and single actions where that was decided', () => {
  const { limiter, clock } = start()
  const say = (): number => limiter.take('message', 'appservice', 'irc')
  const join = (): number => limiter.take('join', 'appservice', 'irc')
  assert.deepEqual([...times(3, say), ...times(3, join)], [0, 0, 0, 0, 0, 500])
  assert.equal(limiter.take('join', 'appservice', 'slack'), 0)
  clock.time += 60_000
  limiter.adjustOne('appservice', 'irc', { message: { perSecond: 1, burst: 1 } })
  assert.deepEqual([...times(2, say), ...times(5, join)], [0, 1000, 0, 0, 0, 0, 500])
  limiter.adjustOne('appservice', 'irc', { all: { perSecond: 1, burst: 2 } })
  assert.deepEqual([say(), join(), say(), join()], [0, 0, 1000, 1000])
  limiter.adjustOne('appservice', 'irc', { all: { perSecond: 0, burst: 1 } })
  assert.deepEqual(
    times(50, say),
    times(50, () => 0),
  )
  limiter.adjustOne('appservice', 'irc', {})
  assert.deepEqual(times(6, say), [0, 0, 0, 0, 0, 500])
})

it('takes new rates, of everybody and of one, while it runs', () => {
  const { limiter } = start()
  const take = (who: string): number => limiter.take('message', 'user', who)
  assert.deepEqual([take('x'), take('x'), take('x'), take('x')], [0, 0, 0, 500])
  // More helps at once, whatever was used up.
  limiter.adjustOne('user', 'x', { message: { perSecond: 1000, burst: 10_000 } })
  assert.deepEqual(
    times(10, () => take('x')),
    times(10, () => 0),
  )
  assert.deepEqual([take('y'), take('y'), take('y'), take('y')], [0, 0, 0, 500])
  limiter.adjust({ message: { perSecond: 2, burst: 4 } })
  assert.deepEqual([take('y'), take('y'), take('y'), take('y'), take('y')], [0, 0, 0, 0, 500])
  limiter.adjustOne('user', 'y', { all: { perSecond: 0, burst: 1 } })
  assert.equal(take('y'), 0)
  limiter.adjustOne('user', 'y', {})
  limiter.adjustOne('user', 'x', {})
  assert.deepEqual([take('x'), take('x'), take('x'), take('x'), take('x')], [0, 0, 0, 0, 500])
})

it('says when so many may come at once', () => {
  const { limiter, clock } = start()
  const waits = (...counts: number[]): number[] =>
    counts.map((count) => limiter.waitFor('message', 'server', 'x', count))
  // Three at once is the most there ever is.
  assert.deepEqual(waits(1, 3, 50), [0, 0, 0])
  times(3, () => limiter.take('message', 'server', 'x'))
  assert.deepEqual(waits(1, 2, 3, 50), [500, 1000, 1500, 1500])
  clock.time += 1000
  assert.deepEqual(waits(1, 2, 3), [0, 0, 500])
  assert.deepEqual(
    times(3, () => limiter.take('message', 'server', 'x')),
    [0, 0, 500],
  )
  limiter.adjustOne('server', 'x', { message: { perSecond: 1, burst: 1 } })
  assert.deepEqual(waits(1, 2), [0, 0])
  assert.equal(limiter.waitFor('join', 'server', 'x', 5), 0)
})

it('says who has to wait', () => {
  const { limiter, clock } = start()
  assert.deepEqual(limiter.heldBack(10), [])
  times(4, () => limiter.take('message', 'user', 'x'))
  times(6, () => limiter.take('message', 'appservice', 'irc'))
  limiter.adjustOne('user', 'y', { join: { perSecond: 1, burst: 1 } })
  times(2, () => limiter.take('join', 'user', 'y'))
  limiter.take('message', 'user', 'z')
  const found = limiter
    .heldBack(10)
    .map(({ kind, principal, action, waitMs }) => [kind, principal, action, waitMs])
  assert.deepEqual(found, [
    ['user', 'y', 'join', 1000],
    ['user', 'x', 'message', 500],
    ['appservice', 'irc', 'all', 500],
  ])
  assert.equal(limiter.heldBack(1).length, 1)
  clock.time += 1000
  assert.deepEqual(limiter.heldBack(10), [])
})

it('a flood of strangers stays bounded in memory and frees nobody who is blocked as a person', () => {
  const { limiter } = start()
  limiter.adjustOne('address', '10.own', { message: { perSecond: 0.001, burst: 1 } })
  limiter.take('message', 'address', '10.own')
  for (let i = 0; i < 4; i += 1) limiter.take('message', 'user', '@spammer:x')
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 300_000; i += 1) limiter.take('message', 'address', `10.${i}`)
  collectGarbage()
  const kept = process.memoryUsage().heapUsed - before
  assert.ok(kept < 5_000_000, `${kept} bytes are kept`)
  assert.ok(limiter.take('message', 'user', '@spammer:x') > 0)
  assert.ok(limiter.take('message', 'address', '10.own') > 0)
})

it('the table says of each action who is counted', () => {
  const counted = new Map<string, Set<PrincipalKind>>(ACTION_NAMES.map((name) => [name, new Set()]))
  const counts: Record<string, readonly PrincipalKind[]> = {
    none: ['address'],
    optional: ['user', 'appservice', 'address'],
    user: ['user', 'appservice'],
    admin: ['user', 'appservice'],
    server: ['server'],
  }
  const config = { federation: { enabled: true }, url_previews: { enabled: true } } as Parameters<
    typeof routesOf
  >[0]
  for (const { rateLimit, auth } of routesOf(config)) {
    if (rateLimit !== undefined) for (const kind of counts[auth]!) counted.get(rateLimit)!.add(kind)
  }
  // Ghosts are made by services.
  counted.get('registration')!.add('appservice')
  // Told by rooms, and not by requests.
  counted.get('sticky')!.add('server')
  // Whoever has the keys of a server fetched.
  counted.get('server_keys')!.add('address')
  const sorted = (kinds: Iterable<string>): string[] => [...kinds].toSorted((a, b) => a.localeCompare(b))
  assert.deepEqual(
    ACTION_NAMES.map((name) => [name, sorted(LIMITED_ACTIONS[name])]),
    [...counted].map(([name, kinds]) => [name, sorted(kinds)]),
  )
})
