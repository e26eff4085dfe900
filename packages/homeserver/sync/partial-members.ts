import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findEvents } from '../rooms/read-events.ts'
import { roomEventOfRow, type RoomInfo } from '../rooms/stored-event.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/**
 * Who speaks in a room whose members are not all here: their memberships by what their events name as permitting them,
 * for users of whom the state knows nothing. https://spec.matrix.org/v1.19/client-server-api/#lazy-loading-room-members
 */
export async function membersByEvents(
  engine: RoomEngine,
  room: RoomInfo,
  events: readonly StoredEvent[],
  wanted: ReadonlySet<string>,
): Promise<StoredEvent[]> {
  const spoken = events.filter(({ sender }) => wanted.has(sender)).map(({ eventId }) => eventId)
  if (engine.partial.find(room.roomNid) === undefined || spoken.length === 0) return []
  const named = new Set<EventId>()
  for (const row of await findEventRows(engine.db, spoken)) {
    for (const eventId of roomEventOfRow(room, row).authEventIds) named.add(eventId)
  }
  const members = new Map<string, StoredEvent>()
  for (const event of (await findEvents(engine, [...named])).values()) {
    const { roomNid, type, stateKey } = event
    const isWanted = roomNid === room.roomNid && type === 'm.room.member' && wanted.has(stateKey ?? '')
    if (isWanted && event.content['membership'] === 'join') members.set(stateKey!, event)
  }
  return [...members.values()]
}
