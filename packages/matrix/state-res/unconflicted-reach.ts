import type { StateKeyPair } from '../event-auth/state-key.ts'
import type { EventId } from '../ids/ids.ts'
import { createEventCache, type EventSource } from './event-source.ts'
import type { StateEntry } from './state-map.ts'

/**
 * Which of some events are in the auth chain of the unconflicted state, found from that state downwards until all are
 * seen. O(unconflicted state + its auth chain): for tests and small rooms.
 */
export async function findReachedByWalkingDown(
  ids: readonly EventId[],
  unconflictedIds: Iterable<EventId>,
  source: EventSource,
): Promise<ReadonlySet<EventId>> {
  const wanted = new Set(ids)
  const reached = new Set<EventId>()
  const visited = new Set<EventId>(unconflictedIds)
  const cache = createEventCache(source)
  let frontier = [...visited]
  while (frontier.length > 0 && reached.size < wanted.size) {
    await cache.load(frontier)
    const next: EventId[] = []
    for (const authId of frontier.flatMap((id) => cache.get(id).authEventIds)) {
      if (wanted.has(authId)) reached.add(authId)
      if (!visited.has(authId)) next.push(authId)
      visited.add(authId)
    }
    frontier = next
  }
  return reached
}

/** What walking up needs: the auth edges of state events in the other direction, and the unconflicted state. */
export interface CiterSource {
  /**
   * For each event the state events that list it among their auth events. For an event with very many of them it is
   * enough to answer those in force in any state the caller holds, and those that are auth events themselves.
   */
  findCiters(ids: readonly EventId[]): Promise<ReadonlyMap<EventId, readonly StateEntry[]>>
  /** As in `StateDifference`. */
  readUnconflicted(keys: readonly StateKeyPair[]): Promise<readonly (EventId | undefined)[]>
}

/**
 * The same, found from the events upwards: an event is reached when one that cites it is unconflicted state, or is
 * reached itself. Goes no further up from an event once it is known to be reached, so that it costs about what was
 * sent since the state sets parted, whatever the size of the room.
 */
export async function findReachedByWalkingUp(
  ids: readonly EventId[],
  source: CiterSource,
): Promise<ReadonlySet<EventId>> {
  const reached = new Set<EventId>()
  const citedBy = new Map<EventId, EventId[]>()
  const visited = new Set<EventId>(ids)
  let frontier: readonly EventId[] = [...visited]
  while (frontier.length > 0) {
    const citers = await source.findCiters(frontier)
    const inForce = await findInForce([...citers.values()].flat(), source)
    const next: EventId[] = []
    for (const id of frontier) {
      const entries = citers.get(id) ?? []
      if (entries.some((entry) => inForce.has(entry.eventId))) {
        reached.add(id)
        continue
      }
      for (const { eventId } of entries) {
        append(citedBy, eventId, id)
        if (!visited.has(eventId)) next.push(eventId)
        visited.add(eventId)
      }
    }
    frontier = next
  }
  // Hands "reached" down along the edges that were followed; a set may grow while it is iterated.
  for (const id of reached) for (const citedId of citedBy.get(id) ?? []) reached.add(citedId)
  return new Set(ids.filter((id) => reached.has(id)))
}

async function findInForce(
  entries: readonly StateEntry[],
  source: CiterSource,
): Promise<ReadonlySet<EventId>> {
  const unique = [...new Map(entries.map((entry) => [entry.eventId, entry])).values()]
  if (unique.length === 0) return new Set()
  const current = await source.readUnconflicted(unique.map(({ type, stateKey }) => [type, stateKey]))
  return new Set(unique.filter((entry, at) => current[at] === entry.eventId).map(({ eventId }) => eventId))
}

function append(map: Map<EventId, EventId[]>, key: EventId, value: EventId): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
