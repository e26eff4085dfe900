import type { Clock } from '../clock/clock.ts'
import type { LogEntry } from './entry.ts'

/** A pause of a log's reader, in which more comes that can share a write with what it has. */
export interface Gathering {
  /**
   * Pauses before entries are acted upon; not where there are enough of them, or somebody waits for them: a reader that
   * paused for every batch would fall behind whoever writes more than that.
   */
  beforeHandling(entries: readonly LogEntry[], signal: AbortSignal): Promise<void>
  /** Resolves after so many milliseconds, or as soon as somebody is in a hurry or the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Nothing up to a position is paused for any more; ends the pause that is under way, if there is one. */
  hurry(upTo: number): void
}

export interface GatheringOptions {
  /** How long a pause is, in milliseconds. */
  readonly pauseMs: number
  /** Entries that are worth a write of their own. */
  readonly enough: number
}

export function createGathering(
  clock: Pick<Clock, 'sleep'>,
  { pauseMs, enough }: GatheringOptions,
): Gathering {
  let waiting: AbortController | undefined
  let hurried = 0
  const wait = async (ms: number, signal: AbortSignal): Promise<void> => {
    waiting = new AbortController()
    await clock.sleep(ms, AbortSignal.any([signal, waiting.signal])).catch(() => undefined)
  }
  return {
    async beforeHandling(entries, signal) {
      if (entries.length < enough && entries[0]!.position > hurried) await wait(pauseMs, signal)
    },
    wait,
    hurry(upTo) {
      hurried = upTo
      waiting?.abort()
    },
  }
}
