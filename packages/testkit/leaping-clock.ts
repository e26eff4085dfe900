import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'

/** The machine's clock, which a test lets leap ahead: nothing that takes long has to be waited for, or to be short. */
export interface LeapingClock extends Clock {
  /** It is so much later now: what falls due meanwhile is run at once, in its order. */
  leap(ms: number): void
}

interface Waiting {
  readonly at: number
  readonly fn: () => void
  timer: Timer
}

/** `date: 'stays'`: only timers leap, and not what is written down as the time, where others with a clock of their own read it. */
export function leapingClock({ date = 'leaps' }: { date?: 'leaps' | 'stays' } = {}): LeapingClock {
  let ahead = 0
  const waiting = new Set<Waiting>()
  const monotonic = (): number => systemClock.monotonic() + ahead
  const run = (one: Waiting): void => {
    if (waiting.delete(one)) one.fn()
  }
  const start = (fn: () => void, ms: number, options?: { unref?: boolean }): Timer => {
    const one: Waiting = {
      at: monotonic() + ms,
      fn,
      timer: systemClock.setTimeout(() => run(one), ms, options),
    }
    waiting.add(one)
    return {
      cancel: () => {
        waiting.delete(one)
        one.timer.cancel()
      },
    }
  }
  return {
    now: () => systemClock.now() + (date === 'leaps' ? ahead : 0),
    monotonic,
    setTimeout: start,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        const abort = (): void => {
          timer.cancel()
          reject(signal?.reason)
        }
        const timer = start(() => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }, ms)
        signal?.addEventListener('abort', abort, { once: true })
      }),
    defer: (fn) => systemClock.defer(fn),
    leap: (ms) => {
      ahead += ms
      const due = [...waiting].filter(({ at }) => at <= monotonic()).toSorted((a, b) => a.at - b.at)
      for (const one of due) {
        // What ran before it may have canceled it.
        if (!waiting.has(one)) continue
        one.timer.cancel()
        run(one)
      }
      // The others are due that much sooner.
      for (const one of waiting) {
        if (due.includes(one)) continue
        one.timer.cancel()
        one.timer = systemClock.setTimeout(() => run(one), Math.max(0, one.at - monotonic()))
      }
    },
  }
}
