import type { RoomEvent } from '../events/pdu.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { AuthState } from './auth-state.ts'
import { privilegedCreators, roomCreator } from './creators.ts'
import { parseLevelValues, type LevelName, type LevelValues } from './level-values.ts'

/** Who may do what in a room at some state. Ask it with the functions below. */
export interface PowerLevels {
  /** What the power-levels event says, or the defaults of a room that has none. */
  readonly values: LevelValues
  /** Users above every number (room version 12 and later). */
  readonly creators: ReadonlySet<string>
}

const DEFAULT_LEVELS: { readonly [name in LevelName]: number } = {
  users_default: 0,
  events_default: 0,
  state_default: 50,
  ban: 50,
  redact: 50,
  kick: 50,
  invite: 0,
}

const NO_VALUES: LevelValues = {
  named: new Map(),
  users: new Map(),
  events: new Map(),
  notifications: new Map(),
  problem: undefined,
}

// The rules are remembered beside the values, so that one event read under two versions is never mixed up.
const valuesByEvent = new WeakMap<RoomEvent, { rules: RoomVersionRules; values: LevelValues }>()

/** The content of a power-levels event, parsed once per event. */
export function levelValuesOf(rules: RoomVersionRules, event: RoomEvent): LevelValues {
  const known = valuesByEvent.get(event)
  if (known?.rules === rules) return known.values
  const values = parseLevelValues(rules, event.pdu.content)
  valuesByEvent.set(event, { rules, values })
  return values
}

/**
 * The power levels in force at a state. Without an `m.room.power_levels` event the creator has 100 and everybody
 * else 0. O(1) but for the first look at a power-levels event.
 * https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels
 */
export function powerLevelsOf(rules: RoomVersionRules, state: AuthState): PowerLevels {
  const create = state.get('m.room.create', '')
  const creators: ReadonlySet<string> = create === undefined ? new Set() : privilegedCreators(rules, create)
  const event = state.get('m.room.power_levels', '')
  if (event !== undefined) return { values: levelValuesOf(rules, event), creators }
  const creator = create === undefined ? undefined : roomCreator(rules, create)
  const values = creator === undefined ? NO_VALUES : { ...NO_VALUES, users: new Map([[creator, 100]]) }
  return { values, creators }
}

/** A user's power; infinite for creators in room version 12 and later. A malformed level is the least power. */
export function userLevel(levels: PowerLevels, userId: string): number {
  if (levels.creators.has(userId)) return Infinity
  const level = levels.values.users.get(userId) ?? namedLevel(levels, 'users_default')
  return Number.isNaN(level) ? -Infinity : level
}

/** The power that inviting, kicking, banning or redacting takes. A malformed level is out of everybody's reach. */
export function requiredActionLevel(
  levels: PowerLevels,
  action: 'invite' | 'kick' | 'ban' | 'redact',
): number {
  return orUnreachable(namedLevel(levels, action))
}

/** The power that sending an event of a type takes, as a state event or as a message. */
export function requiredLevel(levels: PowerLevels, type: string, isState: boolean): number {
  const level = levels.values.events.get(type)
  return orUnreachable(level ?? namedLevel(levels, isState ? 'state_default' : 'events_default'))
}

/** A level for people to read. */
export function formatLevel(level: number): string {
  return Number.isFinite(level) ? String(level) : level > 0 ? 'infinity' : 'none'
}

function namedLevel(levels: PowerLevels, name: LevelName): number {
  return levels.values.named.get(name) ?? DEFAULT_LEVELS[name]
}

function orUnreachable(level: number): number {
  return Number.isNaN(level) ? Infinity : level
}
