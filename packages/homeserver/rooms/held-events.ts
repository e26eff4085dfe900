import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from './engine.ts'
import type { RoomHead } from './head.ts'
import { findEvents } from './read-events.ts'

/**
 * Those of some events that a room has, stored or on their way to the disk; events of other rooms are left out. One
 * query for what is not in memory. Only inside the room's queue.
 */
export async function findHeldEvents(
  engine: RoomEngine,
  { pending, roomNid }: RoomHead,
  eventIds: readonly EventId[],
): Promise<Map<EventId, StoredEvent>> {
  const held = new Map<EventId, StoredEvent>()
  // Looked at before the query: what is committed while that runs would be found in neither place.
  for (const eventId of eventIds) {
    const event = pending.get(eventId)
    if (event !== undefined) held.set(eventId, event)
  }
  const stored = await findEvents(
    engine,
    eventIds.filter((eventId) => !held.has(eventId)),
  )
  for (const [eventId, event] of stored) if (event.roomNid === roomNid) held.set(eventId, event)
  return held
}
