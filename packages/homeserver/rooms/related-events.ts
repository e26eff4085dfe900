import { createChangeIndex, type ChangeIndex } from '@causeway/store/log/change-index.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { relationOf } from './relation.ts'

/**
 * Which events of the recent past had others relate to them. An event can only be related to by a later one, so
 * for a recent event the answer "none" needs no query: that is what keeps plain messages free of them.
 */
export interface RelatedEvents {
  /** Takes in an event of the log. */
  apply(event: StoredEvent): void
  /** Events up to this log number may have been missed. */
  raiseFloor(position: number): void
  /** Whether anything that is bundled may relate to an event. */
  mayBeRelatedTo(event: Pick<StoredEvent, 'nid' | 'eventId'>): boolean
}

/** Relations that are bundled with what they relate to; reactions are not. */
const BUNDLED: ReadonlySet<string> = new Set(['m.replace', 'm.thread', 'm.reference'])

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
    mayBeRelatedTo: ({ nid, eventId }) => parents.mayHaveChanged(eventId, nid),
  }
}
