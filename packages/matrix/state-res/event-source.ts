import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'

/** Where state resolution gets events from. Every call is a batch; answers may hold more than was asked for. */
export interface EventSource {
  /** The events with these ids, rejected ones included. What is left out counts as missing and ends the resolution. */
  getEvents(ids: readonly EventId[]): Promise<ReadonlyMap<EventId, RoomEvent>>
  /** Those of these events that were rejected on receipt. */
  getRejected(ids: readonly EventId[]): Promise<ReadonlySet<EventId>>
  /**
   * The auth event ids of these events, where the store knows them without loading events: the auth chain is then
   * walked over edges, and only events that are replayed get loaded. May answer for further events of the chain.
   */
  getAuthEdges?(ids: readonly EventId[]): Promise<ReadonlyMap<EventId, readonly EventId[]>>
}

/** The source does not hold events that the resolution needs. Fetch them and resolve again. */
export class MissingEventsError extends Error {
  readonly eventIds: readonly EventId[]

  constructor(eventIds: readonly EventId[]) {
    super(`State cannot be resolved: ${eventIds.length} event(s) are missing, the first is ${eventIds[0]}`)
    this.name = 'MissingEventsError'
    this.eventIds = eventIds
  }
}

/** Events of one resolution, each fetched at most once. */
export interface EventCache {
  readonly source: EventSource
  /** Fetches what is not there yet, in one call. @throws MissingEventsError */
  readonly load: (ids: Iterable<EventId>) => Promise<void>
  /** An event that was loaded before; throws for any other, which is a fault of ours. */
  readonly get: (id: EventId) => RoomEvent
}

/** A cache over a source, to live as long as one resolution. */
export function createEventCache(source: EventSource): EventCache {
  const events = new Map<EventId, RoomEvent>()
  return {
    source,
    async load(ids) {
      const unknown = [...new Set(ids)].filter((id) => !events.has(id))
      if (unknown.length === 0) return
      for (const [id, event] of await source.getEvents(unknown)) events.set(id, event)
      const missing = unknown.filter((id) => !events.has(id))
      if (missing.length > 0) throw new MissingEventsError(missing)
    },
    get(id) {
      const event = events.get(id)
      if (event === undefined) throw new Error(`Event ${id} was not loaded before it was used`)
      return event
    },
  }
}
