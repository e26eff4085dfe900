import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'

/** Test support: the machine's clock, which can be put forward. */
export interface SteppedClock extends Clock {
  /** It is so much later; what was to happen until now happens. */
  advance(ms: number): void
}

export function createSteppedClock(): SteppedClock {
  let ahead = 0
  const waiting = new Map<() => void, number>()
  const now = (): number => systemClock.now() + ahead
  const startTimer = (fn: () => void, ms: number, options?: { unref?: boolean }): Timer => {
    const run = (): void => {
      cancel()
      fn()
    }
    const real = systemClock.setTimeout(run, ms, options)
    const cancel = (): void => {
      real.cancel()
      waiting.delete(run)
    }
    waiting.set(run, now() + ms)
    return { cancel }
  }
  return {
    ...systemClock,
    now,
    monotonic: () => systemClock.monotonic() + ahead,
    setTimeout: startTimer,
    advance(ms) {
      ahead += ms
      const due = [...waiting].filter(([, at]) => at <= now()).toSorted(([, a], [, b]) => a - b)
      for (const [run] of due) run()
    },
  }
}
