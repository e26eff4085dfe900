import type { RoomVersionRules } from '../room-versions/rules.ts'
import { hasCommonFormat, isOpaqueText } from './common-format.ts'
import type { EventId, ServerName } from './ids.ts'
import { parseServerName } from './server-name.ts'

const BASE64 = /^\$[A-Za-z0-9+/]{43}$/
const BASE64URL = /^\$[A-Za-z0-9_-]{43}$/

/**
 * An event id of any room version, or undefined: `$` and something opaque of at most 255 bytes. Which form a
 * room's own events have is `isEventIdOf`. https://spec.matrix.org/v1.19/appendices/#event-ids
 */
export function parseEventId(text: string): EventId | undefined {
  return isEventId(text) ? text : undefined
}

/** As `parseEventId`, as a type guard for values of any type. */
export function isEventId(value: unknown): value is EventId {
  return typeof value === 'string' && value.length > 1 && value.startsWith('$') && isOpaqueText(value)
}

/** Whether an event in a room of this version can have this id. */
export function isEventIdOf(rules: RoomVersionRules, value: unknown): value is EventId {
  if (typeof value !== 'string') return false
  if (rules.eventId === 'embedded') return hasCommonFormat(value, '$', false)
  return (rules.eventId === 'base64' ? BASE64 : BASE64URL).test(value)
}

/** The server named in an event id of room versions 1 and 2; undefined for hashes. */
export function eventIdServerName(eventId: EventId): ServerName | undefined {
  const colon = eventId.indexOf(':')
  return colon === -1 ? undefined : parseServerName(eventId.slice(colon + 1))
}
