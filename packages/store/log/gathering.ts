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
      waiting = new AbortController()
      await clock.sleep(ms, AbortSignal.any([signal, waiting.signal])).catch(() => undefined)
    },
    hurry: () => waiting?.abort(),
  }
}
