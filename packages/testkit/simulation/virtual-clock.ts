import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { Chance } from './chance.ts'
import type { Scheduler } from './scheduler.ts'

/** Where virtual time begins: a wall clock that shows this minus nothing. */
export const EPOCH_MS = 1_700_000_000_000

/** How a server's clock goes wrong. */
export interface Skew {
  /** Added to the wall clock, milliseconds; may jump during a run. */
  offsetMs: number
  /** How fast it runs: 1 is right. */
  readonly rate: number
}

/** The clock of one life of a server: it ends with a crash, and then nothing that waits for it is ever called. */
export interface VirtualClock extends Clock {
  /** From now on it calls nothing but what `exhaust` is for. */
  kill(): void
  /** After `kill`: calls what was or is deferred (never timers), until nothing is. Resolves with whether there was anything. */
  exhaust(): boolean
}

/** A deferred call comes after at most this time: the time that a disk takes to sync, too. */
const MAX_DEFER_MS = 4

export function createVirtualClock(
  { scheduler, chance }: { scheduler: Scheduler; chance: Chance },
  name: string,
  skew: Skew,
): VirtualClock {
  let isAlive = true
  let lastDefer = 0
  /** Deferred and not called yet. */
  const deferred = new Set<() => void>()
  const elapsed = (): number => scheduler.now() * skew.rate
  const setTimeout = (fn: () => void, ms: number): Timer => {
    if (!isAlive) return { cancel: () => undefined }
    const due = scheduler.now() + Math.max(0, ms) / skew.rate + chance.fraction()
    return scheduler.at(due, `${name} timer ${Math.round(ms)}`, () => {
      if (isAlive) fn()
    })
  }
  return {
    now: () => Math.floor(EPOCH_MS + elapsed() + skew.offsetMs),
    monotonic: elapsed,
    setTimeout,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason)
          return
        }
        const abort = (): void => {
          timer.cancel()
          reject(signal?.reason)
        }
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }, ms)
        signal?.addEventListener('abort', abort, { once: true })
      }),
    // In the order in which they were deferred, as in an event loop.
    defer(fn) {
      deferred.add(fn)
      if (!isAlive) return
      lastDefer = Math.max(lastDefer + 0.001, scheduler.now() + chance.fraction() * MAX_DEFER_MS)
      scheduler.at(lastDefer, `${name} defer`, () => {
        if (isAlive && deferred.delete(fn)) fn()
      })
    },
    kill: () => void (isAlive = false),
    exhaust() {
      const calls = [...deferred]
      deferred.clear()
      for (const call of calls) call()
      return calls.length > 0
    },
  }
}
