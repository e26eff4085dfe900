import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemLoopMeter } from '@causeway/store/clock/system.ts'

/** Long enough for the first requests after a restart to be answered before it. */
const PERIOD_MS = 2_000
/** A server whose event loop was busy for more of a period than this has somebody to answer. */
const BUSY = 0.1

/**
 * Calls `settle` once, in the first quiet moment after the start: for collecting garbage. Loading the program leaves two thirds of the heap
 * behind as garbage, and V8 gives it back to the system only when it grows; a server that then idles would keep it
 * for ever. It stops everything for some 50 ms and drops compiled code, so it waits while people are being served.
 */
export function settleMemorySoon(
  clock: Pick<Clock, 'setTimeout'>,
  settle: () => void,
  busyShare: () => number = systemLoopMeter(),
): void {
  const look = (): void => {
    if (busyShare() <= BUSY) settle()
    else settleLater()
  }
  const settleLater = (): void => void clock.setTimeout(look, PERIOD_MS, { unref: true })
  settleLater()
}
