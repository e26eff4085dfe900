import type { Bus } from '@causeway/store/bus/local.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Log } from '@causeway/store/log/log.ts'

/** Somebody who acts on what the log tells, one thing after the other. */
export interface Follower extends AsyncDisposable {
  /** Resolves when everything in the log so far was looked at. */
  idle(): Promise<void>
}

export interface FollowerOptions {
  readonly log: Log
  readonly bus: Bus
  /** Done before anything else. */
  readonly begin?: () => Promise<void>
  /** At once, with new entries: what has to be done about them, if anything. */
  readonly next: (entries: readonly LogEntry[] | 'fell-behind') => (() => Promise<void>) | undefined
  readonly onFault: (error: unknown) => void
}

/** Follows the log from now on. A failure is reported, and what comes after it is done all the same. */
export function followEntries({ log, bus, begin, next, onFault }: FollowerOptions): Follower {
  let seen = log.head()
  let work: Promise<void> = begin === undefined ? Promise.resolve() : begin().catch(onFault)
  const unsubscribe = bus.subscribe(() => {
    const entries = log.ring.since(seen)
    seen = log.head()
    const act = next(entries)
    if (act !== undefined) work = work.then(act).catch(onFault)
  })
  return {
    async idle() {
      let last: Promise<void> | undefined
      while (last !== work) await (last = work)
    },
    async [Symbol.asyncDispose]() {
      unsubscribe()
      await work
    },
  }
}
