import type { Clock, Timer } from '@causeway/store/clock/clock.ts'

/** Things seen to in the background: each by one worker at a time, not too many at once, nor of one group. */
export interface Workers extends AsyncDisposable {
  /** It is seen to as soon as there is a place; again, when it is being seen to now. */
  wake(key: string): void
  /** The same in a while. Another `wake` comes before it. */
  wakeLater(key: string, ms: number): void
  /** Those that are being seen to or wait for a place. */
  active(): number
  /** Resolves when nothing is being seen to. */
  idle(): Promise<void>
  /** Aborted by the end of the workers. */
  readonly signal: AbortSignal
}

export interface WorkersOptions {
  readonly clock: Pick<Clock, 'setTimeout'>
  /** At once. */
  readonly limit: number
  /** The group of a key, of which there are not more than this at once. */
  readonly groupOf: (key: string) => string
  readonly groupLimit: number
  /** Sees to one. A failure is reported, unless the workers have ended. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>
  readonly onFailure: (key: string, error: unknown) => void
}

export function createWorkers({
  clock,
  limit,
  groupOf,
  groupLimit,
  work,
  onFailure,
}: WorkersOptions): Workers {
  const stopping = new AbortController()
  const { signal } = stopping
  const active = new Map<string, Promise<void>>()
  const queued = new Set<string>()
  const timers = new Map<string, Timer>()

  function startNext(): void {
    for (const key of queued) {
      if (active.size >= limit) return
      if (active.has(key) || isGroupFull(key)) continue
      queued.delete(key)
      active.set(key, run(key))
    }
  }

  function isGroupFull(key: string): boolean {
    const group = groupOf(key)
    return [...active.keys()].filter((other) => groupOf(other) === group).length >= groupLimit
  }

  async function run(key: string): Promise<void> {
    try {
      await work(key, signal)
    } catch (error) {
      if (!signal.aborted) onFailure(key, error)
    } finally {
      active.delete(key)
      startNext()
    }
  }

  function forgetTimer(key: string): void {
    timers.get(key)?.cancel()
    timers.delete(key)
  }

  function wake(key: string): void {
    forgetTimer(key)
    if (signal.aborted) return
    queued.add(key)
    startNext()
  }

  return {
    wake,
    wakeLater(key, ms) {
      forgetTimer(key)
      if (signal.aborted) return
      const timer = clock.setTimeout(() => wake(key), ms, { unref: true })
      timers.set(key, timer)
    },
    active: () => active.size + queued.size,
    async idle() {
      while (active.size > 0) await Promise.all(active.values())
    },
    signal,
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the server stops'))
      for (const timer of timers.values()) timer.cancel()
      queued.clear()
      await Promise.all(active.values())
    },
  }
}
