import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/** What the specification recommends to carry over, and what makes a space or a room of one. */
const CARRIED: ReadonlySet<string> = new Set([
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.guest_access',
  'm.room.history_visibility',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.space.child',
  'm.space.parent',
])
/** Of the create event: the rest is of the old room alone. */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  'creator',
  'room_version',
  'predecessor',
  'additional_creators',
])
/** Power of whoever makes a room; what the new room's first events need at most. */
const FULL_POWER = 100
/** In rooms of version 12 nobody but a creator may replace the room. */
const TOMBSTONE_POWER = 150

/** State of the room that takes another's place, in the terms of making a room. */
export interface ReplacementState {
  readonly creationContent: JsonObject
  readonly powerLevels: JsonObject
  readonly initialState: { type: string; stateKey: string; content: JsonObject }[]
}

/** Who stands above all levels, and what came last. */
export interface Succession {
  /** In the new room, beside the one who upgrades; for versions that know of it. */
  readonly creators: readonly string[]
  /** In the old room: nobody before version 12. */
  readonly former: ReadonlySet<string>
  readonly lastEventId: string
}

/**
 * What of a room's state goes into its replacement: the recommended types, bans, and the power levels as its version has
 * them. The one who upgrades may not have the power for all of it: it is lent for the first events and given back.
 * https://spec.matrix.org/v1.19/client-server-api/#room-upgrades (server behavior)
 */
export function replacementState(
  rules: RoomVersionRules,
  state: readonly StoredEvent[],
  upgrader: UserId,
  { creators, former, lastEventId }: Succession,
): ReplacementState {
  const find = (type: string): JsonObject =>
    state.find((event) => event.type === type && event.stateKey === '')?.content ?? {}
  const create = state.find((event) => event.type === 'm.room.create')!
  const old = find('m.room.power_levels')
  const wanted = rules.privilegedCreators
    ? withoutCreators(old, [upgrader, ...creators])
    : withCreators(old, former)
  const lent = lend(rules, wanted, upgrader)
  const carried = state
    .filter((event) => isCarried(event))
    .map(({ type, stateKey, content }) => ({ type, stateKey: stateKey!, content: fit(rules, type, content) }))
  if (lent !== wanted) carried.push({ type: 'm.room.power_levels', stateKey: '', content: wanted })
  const kept = Object.entries(create.content).filter(([key]) => !NOT_CARRIED.has(key))
  return {
    creationContent: {
      ...Object.fromEntries(kept),
      // Since version 12 a room is named by its first event, and the last one is not asked for any more.
      predecessor: rules.roomIdIsCreateHash
        ? { room_id: create.roomId }
        : { room_id: create.roomId, event_id: lastEventId },
      ...(rules.privilegedCreators && creators.length > 0 ? { additional_creators: [...creators] } : {}),
    },
    powerLevels: lent,
    initialState: carried,
  }
}

function isCarried({ type, stateKey, content }: StoredEvent): boolean {
  if (type === 'm.room.member') return content['membership'] === 'ban'
  if (!CARRIED.has(type) || Object.keys(content).length === 0) return false
  return stateKey === '' || type.startsWith('m.space.')
}

/** A join rule that the new version does not know would lock the room for good; the strictest one takes its place. */
function fit(rules: RoomVersionRules, type: string, content: JsonObject): JsonObject {
  if (type === 'm.room.member') {
    return { membership: 'ban', ...(content['reason'] === undefined ? {} : { reason: content['reason'] }) }
  }
  if (type !== 'm.room.join_rules') return content
  const rule = content['join_rule']
  const isKnown =
    rule === 'public' ||
    rule === 'invite' ||
    (rule === 'knock' && rules.knocking) ||
    (rule === 'restricted' && rules.restrictedJoins) ||
    (rule === 'knock_restricted' && rules.knockRestricted)
  return isKnown ? content : { join_rule: 'invite' }
}

/** Creators of a version 12 room have no entry of their own, and may alone replace it. */
function withoutCreators(old: JsonObject, creators: readonly string[]): JsonObject {
  const users = Object.entries(objectOf(old['users'])).filter(([userId]) => !creators.includes(userId))
  const events = objectOf(old['events'])
  const tombstone = events['m.room.tombstone']
  const enough = typeof tombstone === 'number' && tombstone >= TOMBSTONE_POWER
  return {
    ...old,
    users: Object.fromEntries(users),
    events: enough ? events : { ...events, 'm.room.tombstone': TOMBSTONE_POWER },
  }
}

/** Where nobody stands above the levels, those who did get one that is enough for everything: else nobody could do it any more. */
function withCreators(old: JsonObject, former: ReadonlySet<string>): JsonObject {
  if (former.size === 0) return old
  const level = enoughFor(old)
  const entries = [...former].map((userId) => [userId, level] as const)
  return { ...old, users: { ...objectOf(old['users']), ...Object.fromEntries(entries) } }
}

/** The level at which somebody may do everything, and to everybody. */
function enoughFor(levels: JsonObject): number {
  return Math.max(
    FULL_POWER,
    ...[levels, objectOf(levels['events']), objectOf(levels['users'])].flatMap((some) =>
      Object.values(some).filter((level): level is number => typeof level === 'number'),
    ),
  )
}

/** Power levels under which the one who upgrades can write all first events; the same object where they can anyway. */
function lend(rules: RoomVersionRules, wanted: JsonObject, upgrader: UserId): JsonObject {
  if (rules.privilegedCreators) return wanted
  const users = objectOf(wanted['users'])
  const needed = enoughFor(wanted)
  const own = users[upgrader]
  if (typeof own === 'number' && own >= needed) return wanted
  return { ...wanted, users: { ...users, [upgrader]: needed } }
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}
