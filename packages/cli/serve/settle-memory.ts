import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'

/** Long enough for the first requests after a restart to be answered before it. */
const AFTER_START_MS = 2_000

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

/**
 * Collects garbage once, soon after the start. Loading the program leaves two thirds of the heap behind as
 * garbage, and V8 gives it back to the system only when it grows; a server that then idles would keep it for ever.
 * Costs some 50 ms, once.
 */
export function settleMemorySoon(clock: Pick<Clock, 'setTimeout'>): Timer {
  const collect = (): void => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as Collect
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    setFlagsFromString('--no-expose-gc')
  }
  return clock.setTimeout(collect, AFTER_START_MS, { unref: true })
}
