import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'

/** How long a search waits for the index of messages, and for the user directory, before it answers without what is new. */
const PATIENCE = new Set([1_000, 2_000])

/**
 * Test support: the clock of a machine on which nothing takes too long. Readers of the log that were asked to catch up
 * are waited for until they have, however slow the machine is; so do messages, until somebody searches, for others to
 * share a write with.
 */
export const patientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(PATIENCE.has(ms) ? 60 * ms : ms, signal),
  setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, PATIENCE.has(ms) ? 60 * ms : ms, options),
}
