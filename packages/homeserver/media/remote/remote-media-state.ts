import type { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { RemoteMediaRow } from '@causeway/store/tables/remote-media.ts'
import { createSlots, type Slots } from '@causeway/store/cache/slots.ts'

/** Why media could not be fetched a moment ago. */
export interface RecentFailure {
  readonly error: MatrixError
  /** Of the monotonic clock. */
  readonly until: number
}

/** What those who fetch media of other servers share. */
export interface RemoteMediaState {
  /** By `server/media id`: what many ask for at once is fetched once. */
  readonly flights: SingleFlight<string, RemoteMediaRow>
  readonly failures: Cache<string, RecentFailure>
  /** How much is fetched at the same time. */
  readonly slots: Slots
}

const MAX_FETCHES = 20
const MAX_WAITING_FETCHES = 500

/** Costs a share of the memory budget. */
export function createRemoteMediaState(budget: MemoryBudget): RemoteMediaState {
  return {
    flights: createSingleFlight(),
    failures: budget.cache({
      name: 'media_failures',
      share: 0.002,
      weigh: (_failure: RecentFailure, key: string) => 600 + 2 * key.length,
    }),
    slots: createSlots(MAX_FETCHES, MAX_WAITING_FETCHES),
  }
}
