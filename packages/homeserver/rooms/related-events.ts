import { createChangeIndex, type ChangeIndex } from '@causeway/store/log/change-index.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { BUNDLED_RELATIONS } from '@causeway/store/tables/events.ts'
import { relationOf } from './relation.ts'

/**
 * Which events had others relate to them in the recent past. An event can only be related to by a later one, and pages
 * of a timeline are read with the answer for what was there by then: so the answer "none" needs no query.
 */
export interface RelatedEvents {
  /** Takes in an event of the log. */
  apply(event: StoredEvent): void
  /** Events up to this log number may have been missed. */
  raiseFloor(position: number): void
  /** Whether anything that is bundled may relate to an event. */
  mayBeRelatedTo(event: Pick<StoredEvent, 'nid' | 'eventId' | 'unrelatedAt'>): boolean
}

const BUNDLED: ReadonlySet<string> = new Set(BUNDLED_RELATIONS)

/**
 * @param floor the log's position: later events will be told
 * @param limit parents remembered; when there are more, the ones related to longest ago are asked for by query
 */
export function createRelatedEvents(floor: number, limit: number): RelatedEvents {
  const parents: ChangeIndex = createChangeIndex(limit, floor)
  return {
    apply(event) {
      const relation = event.stateKey === undefined ? relationOf(event.content) : undefined
      if (relation !== undefined && BUNDLED.has(relation.relType))
        parents.note(relation.parentEventId, event.nid)
    },
    raiseFloor: (position) => parents.raiseFloor(position),
    mayBeRelatedTo: ({ nid, eventId, unrelatedAt }) =>
      parents.mayHaveChanged(eventId, Math.max(nid, unrelatedAt)),
  }
}
