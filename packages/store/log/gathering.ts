import type { Clock } from '../clock/clock.ts'

/** A pause of a log's reader, in which more comes that can share a write with what it has. */
export interface Gathering {
  /** Resolves after so many milliseconds, or as soon as somebody is in a hurry or the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Ends the pause that is under way, if there is one. */
  hurry(): void
}

export function createGathering(clock: Pick<Clock, 'sleep'>): Gathering {
  let waiting: AbortController | undefined
  return {
    async wait(ms, signal) {
      const mine = (waiting = new AbortController())
      const stop = (): void => mine.abort()
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      await clock.sleep(ms, mine.signal).catch(() => undefined)
      signal.removeEventListener('abort', stop)
    },
    hurry: () => waiting?.abort(),
  }
}
