import type { Clock, Random } from '@causeway/store/clock/clock.ts'

/** A clock that stands still until it is told to move on. */
export interface ManualClock extends Clock {
  /** Moves on, running the timers that fall due, in their order. */
  advance(ms: number): void
  /** Timers set and not yet run or canceled. */
  readonly pending: number
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsed = 0
  let timers: { at: number; fn: () => void }[] = []
  const setTimeout = (fn: () => void, ms: number): { cancel(): void } => {
    const timer = { at: elapsed + ms, fn }
    timers.push(timer)
    return { cancel: () => void (timers = timers.filter((one) => one !== timer)) }
  }
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    setTimeout,
    sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    defer: (fn) => void setTimeout(fn, 0),
    advance: (ms) => {
      const end = elapsed + ms
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((timer) => timer !== next)
        elapsed = next.at
        next.fn()
      }
      elapsed = end
    },
    get pending() {
      return timers.length
    },
  }
}

/** Chance without chance: the same answers at every run. */
export function countingRandom(fraction = 0.5): Random {
  let count = 0
  return {
    bytes: (size) => new Uint8Array(size).fill(++count),
    token: (length) => String(++count).padStart(length, 'x'),
    fraction: () => fraction,
  }
}
