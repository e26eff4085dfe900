import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { countingRandom, manualClock, type ManualClock } from '@causeway/testkit/irc/manual-clock.ts'
import { createTurns, type Running, type Turns, type TurnsOptions } from './turns.ts'

/** What a receiver does at its next attempts: `hold` until it is released. */
type Attempt = { readonly key: number; readonly running: Running; readonly end: (error?: Error) => void }

interface Scene {
  readonly clock: ManualClock
  readonly turns: Turns
  /** Attempts under way. */
  readonly open: Attempt[]
  /** Every attempt, in order. */
  readonly begun: number[]
  /** Ends an attempt, and waits until what follows from that has begun. */
  readonly end: (key: number, how?: 'succeeded' | 'failed') => Promise<void>
}

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function openScene(more: Partial<TurnsOptions> = {}): Scene {
  const clock = manualClock()
  const open: Attempt[] = []
  const begun: number[] = []
  const turns = createTurns({
    clock,
    random: countingRandom(1),
    run: (key, running) =>
      new Promise((resolve, reject) => {
        begun.push(key)
        const end = (error?: Error): void => {
          open.splice(open.indexOf(attempt), 1)
          if (error === undefined) resolve()
          else reject(error)
        }
        const attempt = { key, running, end }
        open.push(attempt)
      }),
    onFailure: () => undefined,
    maxAtOnce: 10,
    maxAtPlace: 4,
    maxKeys: 100,
    firstPauseMs: 1_000,
    longestPauseMs: 60_000,
    ...more,
  })
  return {
    clock,
    turns,
    open,
    begun,
    async end(key, how = 'succeeded') {
      const attempt = open.find((one) => one.key === key)!
      if (how === 'succeeded') attempt.running.succeeded()
      attempt.end(how === 'failed' ? new Error('no') : undefined)
      await later()
    },
  }
}

describe('turns', () => {
  it('give each receiver one attempt at a time, and another when it was woken meanwhile', async () => {
    const { turns, open, begun, end } = openScene()
    turns.wake(1, 'a')
    turns.wake(1, 'a')
    assert.deepEqual(begun, [1])
    await end(1)
    assert.deepEqual(begun, [1, 1])
    turns.wake(1, 'a')
    assert.deepEqual([open[0]!.running.wasWoken(), open[0]!.running.wasWoken()], [true, false])
    await end(1)
    assert.deepEqual([open.length, turns.turns().length], [0, 0])
    await turns.idle()
  })

  it('are shared out among places, so that a crowded one leaves room for others', async () => {
    const { turns, begun, end } = openScene({ maxAtOnce: 5, maxAtPlace: 4 })
    for (let key = 0; key < 20; key++) turns.wake(key, 'crowded')
    turns.wake(100, 'b')
    turns.wake(101, 'b')
    assert.deepEqual(begun, [0, 1, 2, 3, 100])
    await end(0)
    assert.deepEqual(begun.slice(5), [4])
    await end(1)
    assert.deepEqual(begun.slice(6), [101])
  })

  it('are fewer for a place the more often it fails, down to one, and come back with an answer', async () => {
    const { turns, open, begun, end } = openScene()
    for (let key = 0; key < 12; key++) turns.wake(key, 'a')
    for (const key of [0, 1, 2, 3]) await end(key, 'failed')
    assert.deepEqual(
      open.map(({ key }) => key),
      [4],
    )
    await end(4, 'failed')
    assert.deepEqual(
      open.map(({ key }) => key),
      [5],
    )
    // All that sleep there are woken with it.
    await end(5)
    assert.equal(open.length, 4)
    assert.equal(turns.turns().filter(({ phase }) => phase === 'asleep').length, 0)
    assert.equal(begun.length, 10)
  })

  it('leave a receiver that fails alone for longer and longer, by chance and up to a limit', async () => {
    const { turns, clock, begun, end } = openScene()
    turns.wake(1, 'a')
    const pauses: number[] = []
    for (let failure = 0; failure < 9; failure++) {
      const failedAt = clock.now()
      await end(1, 'failed')
      const [turn] = turns.turns()
      assert.equal(turn!.failures, failure + 1)
      pauses.push(turn!.retryTs! - failedAt)
      clock.advance(pauses.at(-1)! - 1)
      assert.equal(begun.length, failure + 1)
      clock.advance(1)
      assert.equal(begun.length, failure + 2)
    }
    assert.deepEqual(
      pauses,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000),
    )
    await end(1)
    assert.equal(turns.turns().length, 0)
  })

  it('wait as long as the receiver wants', async () => {
    const { turns, clock, end } = openScene({ onFailure: () => 50_000 })
    turns.wake(1, 'a')
    await end(1, 'failed')
    assert.equal(turns.turns()[0]!.retryTs! - clock.now(), 50_500)
  })

  it('follow a receiver to another place at once', async () => {
    const { turns, begun, end } = openScene()
    turns.wake(1, 'a')
    await end(1, 'failed')
    turns.wake(1, 'a')
    assert.equal(begun.length, 1)
    turns.wake(1, 'b')
    assert.equal(begun.length, 2)
    assert.equal(turns.turns()[0]!.place, 'b')
    await end(1)
    assert.equal(turns.turns().length, 0)
  })

  it('remember so many receivers and tell when there were more', () => {
    const { turns } = openScene({ maxKeys: 2 })
    for (const key of [1, 2]) turns.wake(key, 'a')
    assert.equal(turns.overflowed(), false)
    turns.wake(3, 'a')
    assert.equal(turns.overflowed(), true)
    assert.equal(turns.overflowed(), false)
  })

  it('end what they begin, and begin nothing more', async () => {
    const { turns, open, begun } = openScene()
    turns.wake(1, 'a')
    const { running, end } = open[0]!
    const ended = turns[Symbol.asyncDispose]()
    assert.equal(running.signal.aborted, true)
    end(new Error('aborted'))
    await ended
    turns.wake(2, 'a')
    assert.deepEqual(begun, [1])
  })
})
