import type { StateKeyName } from '@causeway/store/state/keys.ts'

/** Stands for every type, or every state key. */
export const ANY = '*'
/** As the state key of `m.room.member`: whoever the timeline speaks of. */
const LAZY = '$LAZY'
const ME = '$ME'
const MEMBER = 'm.room.member'

/** State keys by type, `ANY` among either. */
export type RequiredState = ReadonlyMap<string, ReadonlySet<string>>

/** What a client wants of a room. */
export interface RoomConfig {
  readonly timelineLimit: number
  readonly required: RequiredState
  /** Members as far as the timeline speaks of them. */
  readonly lazy: boolean
  /** Says the same as the rest: configurations are told apart by it. */
  readonly key: string
}

/** More pairs of type and state key than these are not taken from one list or subscription. */
export const MAX_REQUIRED = 1_000
/** State keys of one type that are remembered as told beyond those that are asked for. */
const MAX_REMEMBERED = 100

export type Pair = readonly [type: string, stateKey: string]

/** @param pairs without `$ME` and `$LAZY` */
function configOf(timelineLimit: number, pairs: Iterable<Pair>, lazy: boolean): RoomConfig {
  const required = new Map<string, Set<string>>()
  for (const [type, stateKey] of pairs) {
    const keys = required.get(type)
    if (keys === undefined) required.set(type, new Set([stateKey]))
    else keys.add(stateKey)
  }
  const key = JSON.stringify([timelineLimit, lazy, pairsOf(required).toSorted(byText)])
  return { timelineLimit, required, lazy, key }
}

function byText(a: Pair, b: Pair): number {
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)]
  return first < second ? -1 : Number(first > second)
}

/** What is asked for, one by one. */
export function pairsOf(required: RequiredState): Pair[] {
  return [...required].flatMap(([type, keys]) => [...keys].map((key): Pair => [type, key]))
}

/** As a client asks for it. @param userId of whom `$ME` stands for */
export function parseConfig(timelineLimit: number, asked: readonly Pair[], userId: string): RoomConfig {
  const pairs = asked
    .filter(([, stateKey]) => stateKey !== LAZY)
    .map(([type, stateKey]): Pair => [type, stateKey === ME ? userId : stateKey])
  const lazy = asked.some(([type, stateKey]) => type === MEMBER && stateKey === LAZY)
  return configOf(timelineLimit, pairs, lazy)
}

/** As it is kept. */
export function configToJson({ timelineLimit, required, lazy }: RoomConfig): unknown {
  return [timelineLimit, lazy ? 1 : 0, pairsOf(required)]
}

/** The other way about. @param value what `configToJson` made */
export function configFromJson(value: unknown): RoomConfig {
  const [timelineLimit, lazy, pairs] = value as [number, number, Pair[]]
  return configOf(timelineLimit, pairs, lazy === 1)
}

/** Whether a piece of state is asked for by name. */
export function requires({ required }: RoomConfig, type: string, stateKey: string): boolean {
  for (const keys of [required.get(type), required.get(ANY)])
    if (keys !== undefined && (keys.has(stateKey) || keys.has(ANY))) return true
  return false
}

/** Whether all of a room's members are asked for, whoever they are. */
export function requiresAllMembers({ required }: RoomConfig): boolean {
  return required.get(MEMBER)?.has(ANY) === true || required.get(ANY)?.has(ANY) === true
}

/** What of a configuration another has not; `ANY` may stand on either side. */
export function addedPairs(before: RoomConfig, now: RoomConfig): Pair[] {
  if (before.key === now.key) return []
  return pairsOf(now.required).filter(([type, stateKey]) => !requires(before, type, stateKey))
}

/** Whether there is more to tell by `now` than by `before`. */
export function isExpanded(before: RoomConfig, now: RoomConfig): boolean {
  if (before.key === now.key) return false
  if (now.timelineLimit > before.timelineLimit || (now.lazy && !before.lazy)) return true
  return addedPairs(before, now).length > 0
}

/** All that either asks for. */
export function combine(a: RoomConfig, b: RoomConfig): RoomConfig {
  if (a.key === b.key) return a
  const pairs = [...pairsOf(a.required), ...pairsOf(b.required)]
  return configOf(Math.max(a.timelineLimit, b.timelineLimit), pairs, a.lazy || b.lazy)
}

/**
 * What a client has been told of a room after an answer: what it asked for now, and what it had been told before and
 * which has not changed since, so that asking for it again later does not bring it again.
 * @param changed what changed, whether it was told or not
 */
export function toldBy(
  before: RoomConfig | undefined,
  now: RoomConfig,
  timelineLimit: number,
  changed: readonly StateKeyName[],
): RoomConfig {
  if (before === undefined) return now.timelineLimit === timelineLimit ? now : withLimit(now, timelineLimit)
  const lost = changed.filter(
    ({ type, stateKey }) => requires(before, type, stateKey) && !requires(now, type, stateKey),
  )
  const isWide = ({ type, stateKey }: StateKeyName): boolean =>
    before.required.get(type)?.has(stateKey) !== true ||
    requires(without(before, type, stateKey), type, stateKey)
  if (lost.some(isWide)) return withLimit(now, timelineLimit)
  const gone = new Set(lost.map(({ type, stateKey }) => JSON.stringify([type, stateKey])))
  const kept = pairsOf(before.required).filter((pair) => !gone.has(JSON.stringify(pair)))
  const more = kept.filter(([type, stateKey]) => !requires(now, type, stateKey))
  return configOf(timelineLimit, [...pairsOf(now.required), ...more.slice(0, MAX_REMEMBERED)], now.lazy)
}

function withLimit({ required, lazy }: RoomConfig, timelineLimit: number): RoomConfig {
  return configOf(timelineLimit, pairsOf(required), lazy)
}

function without({ required, lazy }: RoomConfig, type: string, stateKey: string): RoomConfig {
  return configOf(
    0,
    pairsOf(required).filter((pair) => pair[0] !== type || pair[1] !== stateKey),
    lazy,
  )
}
