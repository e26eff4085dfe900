import type { JsonObject, JsonValue } from '../events/pdu.ts'
import { isUserId } from '../ids/user-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { isJsonObject, ownValue } from './json-reading.ts'

/** Properties of `m.room.power_levels` that hold one level each. */
export const LEVEL_NAMES = [
  'users_default',
  'events_default',
  'state_default',
  'ban',
  'redact',
  'kick',
  'invite',
] as const
export type LevelName = (typeof LEVEL_NAMES)[number]

/**
 * The content of a power-levels event, read once. Only what the event says: no defaults. A value that is no level is
 * NaN, which each reader takes to the safe side.
 */
export interface LevelValues {
  readonly named: ReadonlyMap<LevelName, number>
  readonly users: ReadonlyMap<string, number>
  readonly events: ReadonlyMap<string, number>
  /** Empty where the room version does not look at `notifications`. */
  readonly notifications: ReadonlyMap<string, number>
  /** Why the event is to be rejected whoever sends it; undefined when it is well-formed for its room version. */
  readonly problem: string | undefined
}

/**
 * A power level as a number. Versions before 10 read text too, and before 6 cut off what follows the point. NaN for
 * what is no level, ±Infinity for numbers beyond a double. Integers beyond 2^53 lose their last digits, as in any
 * reader of doubles; only versions 1 to 9 can hold them.
 * https://spec.matrix.org/v1.19/rooms/v1/#mroompower_levels-events-accept-values-as-strings
 */
export function parseLevel(rules: RoomVersionRules, value: JsonValue): number {
  if (typeof value === 'number') return parseNumber(rules, value)
  const looksLikeInteger = typeof value === 'string' && /^\s*[+-]?[0-9]+\s*$/.test(value)
  return looksLikeInteger && !rules.integerPowerLevels ? Number(value) + 0 : Number.NaN
}

function parseNumber(rules: RoomVersionRules, value: number): number {
  if (!Number.isFinite(value)) return value
  if (rules.strictCanonicalJson) return Number.isSafeInteger(value) ? value + 0 : Number.NaN
  // The addition turns -0 into 0, so that both are the same level.
  return Math.trunc(value) + 0
}

/** Reads the content of a power-levels event. O(entries). */
export function parseLevelValues(rules: RoomVersionRules, content: JsonObject): LevelValues {
  const named = new Map<LevelName, number>()
  for (const name of LEVEL_NAMES) {
    const value = ownValue(content, name)
    if (value !== undefined) named.set(name, parseLevel(rules, value))
  }
  const parts = {
    named,
    users: parseLevelMap(rules, ownValue(content, 'users')),
    events: parseLevelMap(rules, ownValue(content, 'events')),
    notifications: rules.notificationLevelsChecked
      ? parseLevelMap(rules, ownValue(content, 'notifications'))
      : new Map<string, number>(),
  }
  return { ...parts, problem: findProblem(rules, content, parts) }
}

function parseLevelMap(rules: RoomVersionRules, value: JsonValue | undefined): ReadonlyMap<string, number> {
  const entries = isJsonObject(value) ? Object.entries(value) : []
  return new Map(entries.map(([key, level]) => [key, parseLevel(rules, level)]))
}

/** Rules 10.1 to 10.3; before version 10 only `users` has to be well-formed. */
function findProblem(
  rules: RoomVersionRules,
  content: JsonObject,
  levels: Omit<LevelValues, 'problem'>,
): string | undefined {
  return (
    findLevelProblem(rules, '', levels.named) ??
    findLevelProblem(rules, 'events.', levels.events) ??
    findLevelProblem(rules, 'notifications.', levels.notifications) ??
    (rules.integerPowerLevels ? findShapeProblem(content, ['events', 'notifications']) : undefined) ??
    findUsersProblem(content, levels.users)
  )
}

function findLevelProblem(
  rules: RoomVersionRules,
  prefix: string,
  levels: ReadonlyMap<string, number>,
): string | undefined {
  for (const [key, level] of levels) {
    if (Math.abs(level) === Infinity) return `The power level "${prefix}${key}" is out of range.`
    if (rules.integerPowerLevels && Number.isNaN(level)) {
      return `The power level "${prefix}${key}" must be an integer.`
    }
  }
  return undefined
}

function findShapeProblem(content: JsonObject, names: readonly string[]): string | undefined {
  const bad = names.find((name) => {
    const value = ownValue(content, name)
    return value !== undefined && !isJsonObject(value)
  })
  return bad === undefined ? undefined : `"${bad}" in power levels must be an object.`
}

function findUsersProblem(content: JsonObject, users: ReadonlyMap<string, number>): string | undefined {
  const shape = findShapeProblem(content, ['users'])
  if (shape !== undefined) return shape
  for (const [userId, level] of users) {
    if (!isUserId(userId)) return `"${userId}" in power levels is not a valid user ID.`
    if (!Number.isFinite(level)) return `The power level of ${userId} must be an integer.`
  }
  return undefined
}
