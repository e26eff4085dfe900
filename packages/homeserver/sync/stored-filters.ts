import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { SyncFilter } from './filter.ts'

/** Filters that clients have uploaded, compiled and cached: a sync with a known filter costs no query. */
export interface StoredFilters {
  /** Throws `M_NOT_FOUND` when the user has no such filter. */
  get(userId: UserId, filterId: string): Promise<SyncFilter>
  /** As the client wrote it. Throws `M_NOT_FOUND` when the user has no such filter. */
  definition(userId: UserId, filterId: string): Promise<JsonObject>
  /**
   * Stores a filter durably and returns its id, the same one for the same definition.
   * Throws `M_BAD_JSON` for what is no filter, `M_INVALID_PARAM` when the user has too many.
   */
  add(userId: UserId, definition: JsonObject): Promise<string>
}
