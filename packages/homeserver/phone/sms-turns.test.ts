import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RateLimiter } from '../limits/limiter.ts'
import { NO_LIMITS } from '../limits/test-limits.ts'
import { createSmsTurns } from './sms-turns.ts'

const HOUR = 3_600_000

function createTurns(perHour: number) {
  let now = 0
  let exhausted = 0
  const clock = { monotonic: () => now }
  const turns = createSmsTurns(
    perHour,
    { clock, limiter: new RateLimiter(NO_LIMITS, clock) },
    () => exhausted++,
  )
  let numbers = 0
  return {
    /** A message to a number, or to one that is new. */
    take: (msisdn = `49${numbers++}`): boolean => turns.take(msisdn),
    pass: (ms: number): void => void (now += ms),
    exhausted: (): number => exhausted,
  }
}

describe('text messages', () => {
  it('are so many an hour at most, and that there are no more is told once', () => {
    const { take, pass, exhausted } = createTurns(4)
    assert.deepEqual([take(), take()], [true, true])
    pass(HOUR / 2)
    assert.deepEqual([take(), take(), take(), take()], [true, true, false, false])
    assert.equal(exhausted(), 1)
    pass(HOUR / 2)
    assert.deepEqual([take(), take(), take()], [true, true, false])
    assert.equal(exhausted(), 2)
  })

  it('are few to one number', () => {
    const { take, pass } = createTurns(100)
    const ask = (): boolean[] => [1, 2, 3, 4].map(() => take('491'))
    assert.deepEqual(ask(), [true, true, true, false])
    pass(HOUR + 1_000)
    assert.deepEqual(ask(), [true, false, false, false])
    assert.ok(take(), 'another may have some')
  })
})
