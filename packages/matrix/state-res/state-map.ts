import { packStateKey, unpackStateKey, type StateKey } from '../event-auth/state-key.ts'
import type { EventId } from '../ids/ids.ts'

/** Room state: from (type, state key), packed with `packStateKey`, to the id of the event in force. */
export type StateMap = ReadonlyMap<StateKey, EventId>

/** One entry of a room's state. */
export interface StateEntry {
  readonly type: string
  readonly stateKey: string
  readonly eventId: EventId
}

/** A key on which the state sets to be resolved do not all agree. */
export interface ConflictedKey {
  readonly type: string
  readonly stateKey: string
  /** What each state set has there, in the order of the sets; undefined where a set has nothing. */
  readonly eventIds: readonly (EventId | undefined)[]
}

/** A state map from entries. */
export function stateMapOf(entries: Iterable<StateEntry>): Map<StateKey, EventId> {
  const map = new Map<StateKey, EventId>()
  for (const { type, stateKey, eventId } of entries) map.set(packStateKey(type, stateKey), eventId)
  return map
}

/**
 * Parts whole state maps into what all have in common and the keys on which they differ. O(entries): for tests and for
 * maps that have to be in memory anyway; a store with persistent trees compares roots instead.
 */
export function separateConflicts(maps: readonly StateMap[]): {
  unconflicted: StateMap
  conflicted: readonly ConflictedKey[]
} {
  const unconflicted = new Map<StateKey, EventId>()
  const conflicted: ConflictedKey[] = []
  for (const key of new Set(maps.flatMap((map) => [...map.keys()]))) {
    const eventIds = maps.map((map) => map.get(key))
    const [first] = eventIds
    if (first !== undefined && eventIds.every((id) => id === first)) {
      unconflicted.set(key, first)
    } else {
      const [type, stateKey] = unpackStateKey(key)
      conflicted.push({ type, stateKey, eventIds })
    }
  }
  return { unconflicted, conflicted }
}
