import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findRelatedTo, type RelatedBy } from '@causeway/store/tables/relations.ts'
import type { RoomEngine } from './engine.ts'
import { relationScope } from './relation-scope.ts'
import type { RoomInfo } from './stored-event.ts'

/** The part of a filter by which single events are chosen. */
export interface EventChoice {
  readonly relatedBy: RelatedBy | undefined
  passes(event: StoredEvent): boolean
}

/**
 * Those of a room's events that a filter lets through, in their order. What relates to an event is asked of the database:
 * one query for all of them, and only where the filter says something of it.
 * https://spec.matrix.org/v1.19/client-server-api/#filtering
 */
export async function filterEvents(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  filter: EventChoice,
  events: readonly StoredEvent[],
): Promise<readonly StoredEvent[]> {
  const passing = events.filter((event) => filter.passes(event))
  const { relatedBy } = filter
  if (relatedBy === undefined || passing.length === 0) return passing
  const scope = await relationScope(engine, room, userId)
  const ids = passing.map(({ eventId }) => eventId)
  const related = await findRelatedTo(engine.db, scope, ids, relatedBy)
  return passing.filter(({ eventId }) => related.has(eventId))
}

/** What people whom a user ignores have said is left out; state stays, or the room would make no sense. */
export async function withoutIgnored(
  engine: RoomEngine,
  userId: UserId,
  events: readonly StoredEvent[],
): Promise<readonly StoredEvent[]> {
  const ignored = await engine.ignored.of(userId)
  if (ignored.length === 0) return events
  return events.filter((event) => event.stateKey !== undefined || !ignored.includes(event.sender))
}
