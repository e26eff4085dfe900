// https://spec.matrix.org/v1.19/client-server-api/#guest-access
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listIdleGuests } from '@causeway/store/tables/guests.ts'
import { deactivateAccount } from '../accounts/deactivate.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'

const EVERY_MS = 15 * 60_000
/** Accounts that are ended in a round: more would fill the rooms that they leave. */
const PORTION = 200

type Deps = Parameters<typeof deactivateAccount>[0] & Pick<Homeserver, 'config'>

/**
 * Ends the accounts of guests who have not come back for as long as the operator keeps them. Each ends in a write of its own,
 * and leaves its rooms in the background; what is left over is found in the next round.
 */
export function endIdleGuests(hs: Deps): Chore {
  return {
    name: 'end the accounts of guests who do not come back',
    everyMs: EVERY_MS,
    run: async () => {
      const keptMs = hs.config.registration.guests_kept
      if (keptMs === 0) return
      for (const userId of await listIdleGuests(hs.db, hs.clock.now() - keptMs, PORTION)) {
        await deactivateAccount(hs, userId as UserId, false).catch((error: unknown) =>
          hs.logger.warn('the account of a guest could not be ended', { userId, error }),
        )
      }
    },
  }
}
