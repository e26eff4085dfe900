import type { EventId, RoomId, UserId } from '../ids/ids.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { JsonObject, RoomEvent } from './pdu.ts'
import { STICKY_KEY, stickyDurationOf } from './sticky.ts'

/** An event as clients see it, before `unsigned`. */
export interface ClientEvent {
  type: string
  room_id: RoomId
  sender: UserId
  event_id: EventId
  origin_server_ts: number
  content: JsonObject
  state_key?: string
  redacts?: string
  /** https://github.com/matrix-org/matrix-spec-proposals/pull/4354 */
  [STICKY_KEY]?: { duration_ms: number }
}

/**
 * The client's form of an event, without `unsigned`. Only what the specification names goes out, so that another
 * server cannot slip keys such as `unsigned` look-alikes past us. `redacts` stands at the top and in `content` in
 * every room version, for clients of both ages. https://spec.matrix.org/v1.19/rooms/v11/#event-format
 */
export function clientEvent(rules: RoomVersionRules, event: RoomEvent): ClientEvent {
  const { pdu } = event
  const redacts = pdu.type === 'm.room.redaction' ? redactionTarget(rules, event) : undefined
  const form: ClientEvent = {
    type: pdu.type,
    room_id: event.roomId,
    sender: pdu.sender,
    event_id: event.eventId,
    origin_server_ts: pdu.origin_server_ts,
    content: redacts === undefined ? pdu.content : { ...pdu.content, redacts },
  }
  if (pdu.state_key !== undefined) form.state_key = pdu.state_key
  if (redacts !== undefined) form.redacts = redacts
  const duration = stickyDurationOf(pdu)
  if (duration !== undefined) form[STICKY_KEY] = { duration_ms: duration }
  return form
}

/** `clientEvent` as JSON. It is an object with members, so `withUnsigned` can add to it by splicing. */
export function clientEventJson(rules: RoomVersionRules, event: RoomEvent): string {
  return JSON.stringify(clientEvent(rules, event))
}

/** The client's form with `unsigned`, both given as JSON; nothing is parsed. */
export function withUnsigned(clientJson: string, unsignedJson: string): string {
  return `${clientJson.slice(0, -1)},"unsigned":${unsignedJson}}`
}

/** What a redaction event redacts, wherever its room version keeps that; undefined once it is redacted itself. */
export function redactionTarget(rules: RoomVersionRules, event: RoomEvent): string | undefined {
  const { pdu } = event
  const target = rules.redactsInContent ? pdu.content['redacts'] : pdu.redacts
  return typeof target === 'string' ? target : undefined
}
