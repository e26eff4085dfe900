import { forgetExpiredAddressSessions } from '@causeway/store/tables/address-sessions.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'

const HOUR_MS = 3_600_000

/** Forgets addresses that somebody wanted to prove and did not, also where nobody else comes to do it. */
export function forgetAddressSessions({ db, clock }: Pick<Homeserver, 'db' | 'clock'>): Chore {
  return {
    name: 'forget sessions of addresses',
    everyMs: HOUR_MS,
    run: async () => {
      await db.commit({ entries: [], steps: [forgetExpiredAddressSessions(clock.now())] })
    },
  }
}
