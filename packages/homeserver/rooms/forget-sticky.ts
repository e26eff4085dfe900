import { forgetOwedSticky } from '@causeway/store/tables/outbound-sticky.ts'
import { forgetSticky } from '@causeway/store/tables/sticky-events.ts'
import type { Chore } from '../ops/housekeeping.ts'
import type { RoomEngine } from './engine.ts'

const EVERY_MS = 600_000
const PORTION = 1_000

/** Forgets until when events were sticky that are not any more, and who had not got them. */
export function forgetStickyEvents({ db, clock }: Pick<RoomEngine, 'db' | 'clock'>): Chore {
  return {
    name: 'forget sticky events',
    everyMs: EVERY_MS,
    run: async () => {
      while ((await forgetSticky(db, clock.now(), PORTION)) === PORTION) await clock.sleep(50)
      await db.commit({ entries: [], steps: [forgetOwedSticky()] })
    },
  }
}
