import { MatrixError } from '../errors/matrix-error.ts'
import { isEventId, isEventIdOf } from '../ids/event-id.ts'
import { isRoomIdOf } from '../ids/room-id.ts'
import { isUserId } from '../ids/user-id.ts'
import { canonicalJson } from '../json/canonical.ts'
import { exceedsBytes, MAX_EVENT_BYTES, MAX_ID_BYTES } from '../json/limits.ts'
import { isJsonObject } from '../json/parse.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { JsonObject, Pdu } from './pdu.ts'

const MAX_PREV_EVENTS = 20
const MAX_AUTH_EVENTS = 10
/** Depth of room versions 1 to 5; as a double, 2^63 stands for the 2^63 − 1 of the specification too. */
const MAX_LOOSE_DEPTH = 2 ** 63

/** `json` is the event's canonical JSON, which is how its size is told. */
export type FormatVerdict =
  | { readonly ok: true; readonly pdu: Pdu; readonly json: string }
  | { readonly ok: false; readonly reason: string }

/**
 * First check on receipt: whether a value has the event format of a room version, is within the size limits, and
 * can be written as that version's canonical JSON. What fails here is dropped. The reason is a sentence.
 * https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export function checkFormat(rules: RoomVersionRules, value: unknown): FormatVerdict {
  if (!isJsonObject(value)) return refuse('an event must be a JSON object')
  const reason =
    identityFault(rules, value) ??
    numberFault(rules, value) ??
    bodyFault(value) ??
    referencesFault(rules, 'prev_events', value['prev_events'], MAX_PREV_EVENTS) ??
    referencesFault(rules, 'auth_events', value['auth_events'], MAX_AUTH_EVENTS)
  return reason === undefined ? encode(rules, value) : refuse(reason)
}

/**
 * Whether a type or state key has more bytes than are allowed. There are rooms with such events, from servers that
 * counted characters: one is refused by authorisation and kept, so that what points at it has its place in the graph.
 */
export function findSizeFault({
  type,
  state_key: stateKey,
}: Pick<Pdu, 'type' | 'state_key'>): string | undefined {
  if (exceedsBytes(type, MAX_ID_BYTES)) return `The event's type has more than ${MAX_ID_BYTES} bytes.`
  if (stateKey === undefined || !exceedsBytes(stateKey, MAX_ID_BYTES)) return undefined
  return `The event's state key has more than ${MAX_ID_BYTES} bytes.`
}

function exceedsCodePoints(text: string, limit: number): boolean {
  return text.length > limit && (text.length > 2 * limit || Array.from(text).length > limit)
}

function refuse(reason: string): FormatVerdict {
  return { ok: false, reason }
}

function identityFault(rules: RoomVersionRules, event: JsonObject): string | undefined {
  const { type, sender } = event
  const stateKey = event['state_key']
  if (typeof type !== 'string') return 'type must be a string'
  if (exceedsCodePoints(type, MAX_ID_BYTES)) return `type must have at most ${MAX_ID_BYTES} characters`
  if (!isUserId(sender)) return 'sender must be a user id'
  if (stateKey !== undefined && typeof stateKey !== 'string') return 'state_key must be a string'
  if (stateKey !== undefined && exceedsCodePoints(stateKey, MAX_ID_BYTES)) {
    return `state_key must have at most ${MAX_ID_BYTES} characters`
  }
  if (rules.eventId === 'embedded' && !isEventIdOf(rules, event['event_id'])) {
    return 'event_id must be an event id with a server name'
  }
  return roomIdFault(rules, event)
}

/** Version 12 and later: the create event has no `room_id` (authorisation rejects one), every other event has. */
function roomIdFault(rules: RoomVersionRules, event: JsonObject): string | undefined {
  const isCreate = event['type'] === 'm.room.create' && event['state_key'] === ''
  if (rules.roomIdIsCreateHash && isCreate && event['room_id'] === undefined) return undefined
  return isRoomIdOf(rules, event['room_id'])
    ? undefined
    : `room_id must be a room id of room version ${rules.version}`
}

function numberFault(rules: RoomVersionRules, event: JsonObject): string | undefined {
  const { depth } = event
  const timestamp = event['origin_server_ts']
  if (!Number.isInteger(timestamp)) return 'origin_server_ts must be an integer'
  const maximum = rules.strictCanonicalJson ? Number.MAX_SAFE_INTEGER : MAX_LOOSE_DEPTH
  if (typeof depth !== 'number' || !Number.isInteger(depth)) return 'depth must be an integer'
  return depth < 0 || depth > maximum ? 'depth is out of range' : undefined
}

function bodyFault(event: JsonObject): string | undefined {
  const { content, hashes, signatures, unsigned, redacts, origin } = event
  if (!isJsonObject(content)) return 'content must be an object'
  if (!isJsonObject(hashes) || typeof hashes['sha256'] !== 'string') return 'hashes.sha256 must be a string'
  if (!isSignatures(signatures)) return 'signatures must hold an object of strings per server'
  if (unsigned !== undefined && !isJsonObject(unsigned)) return 'unsigned must be an object'
  if (origin !== undefined && typeof origin !== 'string') return 'origin must be a string'
  return redacts !== undefined && !isEventId(redacts) ? 'redacts must be an event id' : undefined
}

function isSignatures(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  return Object.values(value).every(
    (keys) => isJsonObject(keys) && Object.values(keys).every((signature) => typeof signature === 'string'),
  )
}

function referencesFault(
  rules: RoomVersionRules,
  key: string,
  value: unknown,
  maximum: number,
): string | undefined {
  if (!Array.isArray(value)) return `${key} must be an array`
  if (value.length > maximum) return `${key} must have at most ${maximum} entries`
  const isReference = rules.referencePairs ? isPair : isEventId
  return value.every((reference) => isReference(reference)) ? undefined : `${key} must hold event ids`
}

/** `[id, hashes]`: the hashes were never checked by anybody, so any object passes. */
function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && isEventId(value[0]) && isJsonObject(value[1])
}

function encode(rules: RoomVersionRules, event: JsonObject): FormatVerdict {
  try {
    const json = canonicalJson(event, rules.strictCanonicalJson)
    if (exceedsBytes(json, MAX_EVENT_BYTES)) return refuse(`the event has more than ${MAX_EVENT_BYTES} bytes`)
    return { ok: true, pdu: event as unknown as Pdu, json }
  } catch (fault) {
    if (fault instanceof MatrixError) return refuse(fault.message)
    throw fault
  }
}
