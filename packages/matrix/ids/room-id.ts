import type { RoomVersionRules } from '../room-versions/rules.ts'
import { hasCommonFormat, isOpaqueText } from './common-format.ts'
import type { EventId, RoomId } from './ids.ts'

const HASHED = /^![A-Za-z0-9_-]{43}$/

/**
 * A room id of any version, or undefined: `!opaque:server.name`, or `!opaque` without a server as since room
 * version 12. https://spec.matrix.org/v1.19/appendices/#room-ids
 */
export function parseRoomId(text: string): RoomId | undefined {
  return isRoomId(text) ? text : undefined
}

/** As `parseRoomId`, as a type guard for values of any type. */
export function isRoomId(value: unknown): value is RoomId {
  if (typeof value !== 'string') return false
  if (value.includes(':')) return hasCommonFormat(value, '!', false)
  return value.length > 1 && value.startsWith('!') && isOpaqueText(value)
}

/** Whether a room of this version can have this id: since version 12 a hash, before that with a server name. */
export function isRoomIdOf(rules: RoomVersionRules, value: unknown): value is RoomId {
  if (typeof value !== 'string') return false
  return rules.roomIdIsCreateHash ? HASHED.test(value) : hasCommonFormat(value, '!', false)
}

/** The room that a create event founds in room version 12 and later: its event id under the other sigil. */
export function roomIdOfCreate(createEventId: EventId): RoomId {
  return `!${createEventId.slice(1)}` as RoomId
}

/** The create event of a room of version 12 or later. */
export function createEventIdOf(roomId: RoomId): EventId {
  return `$${roomId.slice(1)}` as EventId
}
