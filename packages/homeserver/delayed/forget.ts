import { forgetFinalised } from '@causeway/store/tables/delayed-events.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'

const HOUR_MS = 3_600_000
const KEPT_MS = 7 * 24 * HOUR_MS
const PORTION = 1_000

/** Forgets delayed events that ended a week ago. */
export function forgetDelayedEvents({ db, clock }: Pick<Homeserver, 'db' | 'clock'>): Chore {
  return {
    name: 'forget delayed events',
    everyMs: HOUR_MS,
    run: async () => {
      while ((await forgetFinalised(db, clock.now() - KEPT_MS, PORTION)) === PORTION) await clock.sleep(50)
    },
  }
}
