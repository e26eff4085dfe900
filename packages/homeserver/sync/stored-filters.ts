import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { SyncFilter } from './filter.ts'

/** Filters that clients have uploaded, compiled and cached: a sync with a known filter costs no query. */
export interface StoredFilters {
  /** Throws `M_NOT_FOUND` when the user has no such filter. */
  get(userId: UserId, filterId: string): Promise<SyncFilter>
}
