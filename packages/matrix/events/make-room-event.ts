import { badJson } from '../errors/matrix-error.ts'
import type { EventId, RoomId } from '../ids/ids.ts'
import { roomIdOfCreate } from '../ids/room-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { eventIdOf } from './event-id-of.ts'
import type { EventReference, Pdu, RoomEvent, Sha256 } from './pdu.ts'

/**
 * A PDU, whose format was checked, with the ids that follow from it. `eventId` saves the hash where it is known
 * already, such as for stored events.
 * @throws MatrixError M_BAD_JSON when an event that is no v12 create event names no room.
 */
export function toRoomEvent(rules: RoomVersionRules, pdu: Pdu, sha256: Sha256, eventId?: EventId): RoomEvent {
  const id = eventId ?? eventIdOf(rules, pdu, sha256)
  return {
    eventId: id,
    roomId: pdu.room_id ?? impliedRoomId(rules, pdu, id),
    pdu,
    prevEventIds: referencedIds(pdu.prev_events),
    authEventIds: referencedIds(pdu.auth_events),
  }
}

function impliedRoomId(rules: RoomVersionRules, pdu: Pdu, eventId: EventId): RoomId {
  const isCreate = pdu.type === 'm.room.create' && pdu.state_key === ''
  if (rules.roomIdIsCreateHash && isCreate) return roomIdOfCreate(eventId)
  throw badJson('The event has no room_id')
}

/** The ids in `prev_events` or `auth_events`, of either form. */
export function referencedIds(references: readonly EventReference[]): readonly EventId[] {
  return references.map((reference) => (typeof reference === 'string' ? reference : reference[0]) as EventId)
}
