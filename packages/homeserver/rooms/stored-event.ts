import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { clientEventJson } from '@causeway/matrix/events/client-event.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { sha256 } from '../crypto/sha256.ts'

/** What is known of a room without loading its head; never changes. */
export interface RoomInfo {
  readonly roomId: RoomEvent['roomId']
  readonly roomNid: number
  readonly rules: RoomVersionRules
}

/** Where an event stands, beside its PDU. */
export interface EventPlace {
  readonly nid: number
  readonly depth: number
  readonly stateRoot: number
  readonly roomRoot: number
  readonly stateBefore: number
  readonly stateNid: number
  readonly flags: number
}

/**
 * The greatest depth of a place: what a hostile server claims beyond it is told apart by the order of arrival. No room
 * has so many events, and PostgreSQL's index of places needs half the space for such numbers.
 */
export const DEEPEST = 2_000_000_000

/** The PDU of a row. It was checked when it was stored, so it is read as it is. */
export function pduOfRow(row: EventRow): Pdu {
  return parseJsonObject(row.json) as unknown as Pdu
}

/** A row as authorisation and resolution see it. */
export function roomEventOfRow(room: RoomInfo, row: EventRow): RoomEvent {
  return toRoomEvent(room.rules, pduOfRow(row), sha256, row.event_id as EventId)
}

/** Where a stored event stands. */
export function placeOfRow(row: EventRow): EventPlace {
  return {
    nid: row.nid,
    depth: row.depth,
    stateRoot: row.state_root,
    roomRoot: row.room_root === 0 ? row.state_root : row.room_root,
    stateBefore: row.state_before,
    stateNid: row.state_nid,
    flags: row.flags,
  }
}

/** An event as readers see it. */
export function toStoredEvent(room: RoomInfo, event: RoomEvent, place: EventPlace): StoredEvent {
  const { pdu } = event
  return {
    nid: place.nid,
    eventId: event.eventId,
    roomId: room.roomId,
    roomNid: room.roomNid,
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu.state_key,
    content: pdu.content,
    originServerTs: pdu.origin_server_ts,
    depth: Math.min(place.depth, DEEPEST),
    stateRoot: place.stateRoot,
    roomRoot: place.roomRoot,
    stateBefore: place.stateBefore,
    stateNid: place.stateNid,
    flags: place.flags,
    clientJson: clientEventJson(room.rules, event),
    unrelatedAt: 0,
  }
}

/** A row as readers see it. */
export function storedEventOfRow(room: RoomInfo, row: EventRow): StoredEvent {
  return toStoredEvent(room, roomEventOfRow(room, row), placeOfRow(row))
}

/** The user a membership event is about. */
export function targetOf(event: Pick<StoredEvent, 'stateKey'>): UserId {
  return event.stateKey as UserId
}
