import { ALLOWED, refuse, type AuthContext, type Verdict } from './auth-state.ts'
import { LEVEL_NAMES } from './level-values.ts'
import { formatLevel, levelValuesOf, powerLevelsOf, userLevel } from './power-levels.ts'

/**
 * Rules for `m.room.power_levels`: well-formed, and nobody gives, takes or changes more power than they have. O(entries
 * of the old and the new event). Rule 10 of https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules
 */
export function authorizePowerLevels(ctx: AuthContext): Verdict {
  const { rules, event, state } = ctx
  const next = levelValuesOf(rules, event)
  // 10.1 to 10.3
  if (next.problem !== undefined) return refuse(next.problem)
  // 10.4
  const levels = powerLevelsOf(rules, state)
  for (const creator of levels.creators) {
    if (next.users.has(creator)) {
      return refuse(`${creator} made the room and cannot be given a power level: creators stand above all.`)
    }
  }
  // 10.5
  if (state.get('m.room.power_levels', '') === undefined) return ALLOWED
  // 10.6 to 10.10
  const current = levels.values
  const { sender } = event.pdu
  const power = userLevel(levels, sender)
  const problem =
    findExcess(pick(current.named), pick(next.named), power, (key) => `the level "${key}"`) ??
    findExcess(current.events, next.events, power, (key) => `the level of ${key} events`) ??
    findExcess(
      current.notifications,
      next.notifications,
      power,
      (key) => `the level of "${key}" notifications`,
    ) ??
    findEqualUser(current.users, next.users, power, sender) ??
    findExcess(current.users, next.users, power, (key) => `the power level of ${key}`)
  return problem === undefined ? ALLOWED : refuse(problem)
}

type Levels = ReadonlyMap<string, number>

/** In the order of the specification, so that the first reason does not depend on the order of JSON keys. */
function pick(named: ReadonlyMap<string, number>): Levels {
  return new Map(LEVEL_NAMES.filter((name) => named.has(name)).map((name) => [name, named.get(name)!]))
}

/** The first entry added, changed or removed whose old or new value is above the sender's power. */
function findExcess(
  current: Levels,
  next: Levels,
  power: number,
  describe: (key: string) => string,
): string | undefined {
  for (const key of alteredKeys(current, next)) {
    const highest = Math.max(asReachable(current.get(key)), asReachable(next.get(key)))
    if (highest > power) {
      return `You cannot change ${describe(key)}: it is or would be ${formatLevel(highest)}, and you have ${formatLevel(power)}.`
    }
  }
  return undefined
}

/** The first user other than the sender who has as much power as the sender or more, and whose entry is altered. */
function findEqualUser(current: Levels, next: Levels, power: number, sender: string): string | undefined {
  for (const userId of alteredKeys(current, next)) {
    const level = current.get(userId)
    if (level === undefined || userId === sender || asReachable(level) < power) continue
    return `You cannot change the power level of ${userId}: theirs is ${formatLevel(level)} and yours is ${formatLevel(power)}.`
  }
  return undefined
}

function* alteredKeys(current: Levels, next: Levels): Generator<string> {
  for (const [key, level] of current) if (!Object.is(level, next.get(key))) yield key
  for (const key of next.keys()) if (!current.has(key)) yield key
}

/** A missing level hinders nobody; a malformed one (before room version 10) is out of everybody's reach. */
function asReachable(level: number | undefined): number {
  if (level === undefined) return -Infinity
  return Number.isNaN(level) ? Infinity : level
}
