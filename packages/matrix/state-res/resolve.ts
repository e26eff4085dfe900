import { packStateKey } from '../event-auth/state-key.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { createEventCache, type EventSource } from './event-source.ts'
import { resolveV1 } from './resolve-v1.ts'
import { resolveV2 } from './resolve-v2.ts'
import type { ResolveTools, StateDifference } from './state-difference.ts'
import { separateConflicts, stateMapOf, type StateEntry, type StateMap } from './state-map.ts'
import { findReachedByWalkingDown } from './unconflicted-reach.ts'

/**
 * Resolves state sets by the algorithm of the room version. The resolved state is the unconflicted state together with
 * the entries answered here; a conflicted key without an entry has no state. Entries are sorted by type and state
 * key, and do not depend on the order of sets, keys or of what the source answers.
 *
 * Costs O(c log c + auth chain of the conflicted events) for c conflicted events, whatever the size of the room.
 * @throws MissingEventsError, AuthChainTooLongError
 * https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
 */
export async function resolveState(
  rules: RoomVersionRules,
  difference: StateDifference,
  source: EventSource,
  tools: ResolveTools,
): Promise<readonly StateEntry[]> {
  if (difference.conflicted.length === 0) return []
  const cache = createEventCache(source)
  const resolve = rules.stateResolution === 'v1' ? resolveV1 : resolveV2
  const entries = await resolve({ rules, difference, cache, tools })
  return [...entries].sort((a, b) => compareText(a.type, b.type) || compareText(a.stateKey, b.stateKey))
}

/** As `resolveState`, for whole maps in memory: tests and small rooms. O(entries) on top. */
export async function resolveStateMaps(
  rules: RoomVersionRules,
  maps: readonly StateMap[],
  source: EventSource,
  tools: ResolveTools,
): Promise<StateMap> {
  const { unconflicted, conflicted } = separateConflicts(maps)
  const difference: StateDifference = {
    setCount: maps.length,
    conflicted,
    readUnconflicted: async (keys) => keys.map((pair) => unconflicted.get(packStateKey(...pair))),
    findReachedFromUnconflicted: (ids) => findReachedByWalkingDown(ids, unconflicted.values(), source),
  }
  const entries = await resolveState(rules, difference, source, tools)
  return new Map([...unconflicted, ...stateMapOf(entries)])
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
