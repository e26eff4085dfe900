import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isUserId } from '@causeway/matrix/ids/user-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { badJson } from '@causeway/matrix/errors/matrix-error.ts'
import type { RelatedBy } from '@causeway/store/tables/relations.ts'
import { relationOf } from '../rooms/relation.ts'

/** Tests an event against `types`, `not_types`, `senders`, `not_senders`, `contains_url`, what it relates to, and the like. */
export interface EventFilter {
  readonly limit: number | undefined
  readonly lazyLoadMembers: boolean
  readonly includeRedundantMembers: boolean
  readonly unreadThreadNotifications: boolean
  /** Nothing passes: `types: []`, or a limit of 0 where that means so. */
  readonly isEmpty: boolean
  /** True when every event passes, so that callers need not ask one by one. */
  readonly passesAll: boolean
  /** What has to relate to an event, beside what the event itself is tested for: see `filterEvents`. */
  readonly relatedBy: RelatedBy | undefined
  /** Tests what the event says; of what relates to it, it knows nothing. */
  passes(event: { type: string; sender?: string; content?: JsonObject }): boolean
  passesRoom(roomId: string): boolean
}

/** A filter as `/sync` uses it. https://spec.matrix.org/v1.19/client-server-api/#filtering */
export interface SyncFilter {
  readonly timeline: EventFilter
  readonly state: EventFilter
  readonly ephemeral: EventFilter
  readonly roomAccountData: EventFilter
  readonly accountData: EventFilter
  readonly presence: EventFilter
  readonly includeLeave: boolean
  /** `event_format: federation` is not offered to clients; only the client format is. */
  passesRoom(roomId: string): boolean
}

/** What the items of a list have to look like, beside being text. */
const ITEM_CHECKS: Readonly<Record<string, (text: string) => boolean>> = {
  senders: isUserId,
  not_senders: isUserId,
  related_by_senders: isUserId,
  rooms: isRoomId,
  not_rooms: isRoomId,
}

function textList(value: unknown, name: string): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    throw badJson(`${name} of a filter must be a list of texts`)
  }
  const check = ITEM_CHECKS[name]
  const wrong = check === undefined ? undefined : (value as string[]).find((item) => !check(item))
  if (wrong !== undefined)
    throw badJson(`${JSON.stringify(wrong.slice(0, 100))} has no place in ${name} of a filter`)
  return new Set(value as string[])
}

/** `*` stands for any run of characters, in event types only. */
function typeMatcher(types: ReadonlySet<string> | undefined): ((type: string) => boolean) | undefined {
  if (types === undefined) return undefined
  const exact = new Set<string>()
  const patterns: RegExp[] = []
  for (const type of types) {
    if (!type.includes('*')) exact.add(type)
    else patterns.push(new RegExp(`^${type.split('*').map(escapePattern).join('[^]*')}$`))
  }
  return (type) => exact.has(type) || patterns.some((pattern) => pattern.test(type))
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function section(value: unknown, name: string): JsonObject {
  if (value === undefined || value === null) return {}
  if (!isJsonObject(value)) throw badJson(`${name} of a filter must be an object`)
  return value
}

function flagOf(spec: JsonObject, key: string): boolean | undefined {
  const value = spec[key] ?? undefined
  if (value === undefined || typeof value === 'boolean') return value
  throw badJson(`${key} of a filter must be true or false`)
}

/** One that is negative is none, as clients take it. */
function limitOf({ limit }: JsonObject): number | undefined {
  if (limit === undefined || limit === null) return undefined
  if (!Number.isInteger(limit)) throw badJson('limit of a filter must be a whole number')
  return (limit as number) < 0 ? undefined : (limit as number)
}

/**
 * By what an event says of how it relates to another; one that relates to none passes unless certain ones are wanted.
 * Undefined: every event passes. https://github.com/matrix-org/matrix-spec-proposals/pull/3874
 */
function relationMatcher(spec: JsonObject): ((content: JsonObject | undefined) => boolean) | undefined {
  const [wanted, unwanted] = REL_TYPE_LISTS.map((key) => listOf(spec, key))
  if (wanted === undefined && unwanted === undefined) return undefined
  return (content) => {
    const relType = content === undefined ? undefined : relationOf(content)?.relType
    if (relType === undefined) return wanted === undefined
    return wanted?.has(relType) !== false && unwanted?.has(relType) !== true
  }
}

const REL_TYPE_LISTS = ['org.matrix.msc3874.rel_types', 'org.matrix.msc3874.not_rel_types']

function listOf(spec: JsonObject, key: string): ReadonlySet<string> | undefined {
  const list = textList(spec[key], key)
  if ((list?.size ?? 0) > MAX_LIST) throw badJson(`A filter lists at most ${MAX_LIST} items`)
  return list
}

function relatedByOf(spec: JsonObject): RelatedBy | undefined {
  const relTypes = listOf(spec, 'related_by_rel_types')
  const senders = listOf(spec, 'related_by_senders')
  if (relTypes === undefined && senders === undefined) return undefined
  return {
    ...(relTypes === undefined ? {} : { relTypes: [...relTypes] }),
    ...(senders === undefined ? {} : { senders: [...senders] }),
  }
}

/** Most patterns of one filter that hold a wildcard: each costs a test per event. */
const MAX_LIST = 1_000

/** Compiles one `RoomEventFilter` or `EventFilter`. Throws `M_BAD_JSON` for wrong types. */
export function compileEventFilter(value: unknown, name = 'filter'): EventFilter {
  const spec = section(value, name)
  const lists = ['types', 'not_types', 'senders', 'not_senders', 'rooms', 'not_rooms'].map((key) =>
    listOf(spec, key),
  )
  const [types, notTypes, senders, notSenders, rooms, notRooms] = lists
  const inTypes = typeMatcher(types)
  const inNotTypes = typeMatcher(notTypes)
  const relates = relationMatcher(spec)
  const containsUrl = flagOf(spec, 'contains_url')
  const relatedBy = relatedByOf(spec)
  return {
    limit: limitOf(spec),
    lazyLoadMembers: flagOf(spec, 'lazy_load_members') === true,
    includeRedundantMembers: flagOf(spec, 'include_redundant_members') === true,
    unreadThreadNotifications: flagOf(spec, 'unread_thread_notifications') === true,
    relatedBy,
    isEmpty: types?.size === 0 || senders?.size === 0 || rooms?.size === 0,
    passesAll:
      types === undefined &&
      notTypes === undefined &&
      senders === undefined &&
      notSenders === undefined &&
      containsUrl === undefined &&
      relates === undefined &&
      relatedBy === undefined,
    passes: ({ type, sender, content }) => {
      if (inTypes !== undefined && !inTypes(type)) return false
      if (inNotTypes?.(type) === true) return false
      if (senders !== undefined && !senders.has(sender ?? '')) return false
      if (notSenders?.has(sender ?? '') === true) return false
      if (relates?.(content) === false) return false
      return containsUrl === undefined || (typeof content?.['url'] === 'string') === containsUrl
    },
    passesRoom: (roomId) => rooms?.has(roomId) !== false && notRooms?.has(roomId) !== true,
  }
}

/** Compiles a whole filter definition. Throws `M_BAD_JSON` for wrong types. */
export function compileSyncFilter(definition: JsonObject): SyncFilter {
  textList(definition['event_fields'] ?? undefined, 'event_fields')
  const format = definition['event_format'] ?? 'client'
  if (format !== 'client' && format !== 'federation')
    throw badJson('event_format of a filter is client or federation')
  const room = section(definition['room'], 'room')
  const wholeRoom = compileEventFilter({ rooms: room['rooms'], not_rooms: room['not_rooms'] }, 'room')
  return {
    timeline: compileEventFilter(room['timeline'], 'room.timeline'),
    state: compileEventFilter(room['state'], 'room.state'),
    ephemeral: compileEventFilter(room['ephemeral'], 'room.ephemeral'),
    roomAccountData: compileEventFilter(room['account_data'], 'room.account_data'),
    accountData: compileEventFilter(definition['account_data'], 'account_data'),
    presence: compileEventFilter(definition['presence'], 'presence'),
    includeLeave: flagOf(room, 'include_leave') === true,
    passesRoom: (roomId) => wholeRoom.passesRoom(roomId),
  }
}
