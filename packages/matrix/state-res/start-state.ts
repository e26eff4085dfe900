import { selectAuthEvents } from '../event-auth/select-auth-events.ts'
import { packStateKey, type StateKey, type StateKeyPair } from '../event-auth/state-key.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { Resolution } from './state-difference.ts'

/**
 * The part of the unconflicted state that authorising these events may ask for, in one read and one load. O(events).
 */
export async function loadUnconflictedFor(
  { rules, difference, cache }: Resolution,
  events: readonly RoomEvent[],
): Promise<Map<StateKey, RoomEvent>> {
  const wanted = new Map<StateKey, StateKeyPair>()
  const want = (pair: StateKeyPair): unknown => wanted.set(packStateKey(...pair), pair)
  want(['m.room.create', ''])
  want(['m.room.power_levels', ''])
  for (const { pdu } of events) {
    const { type, sender, state_key: stateKey, content } = pdu
    for (const pair of selectAuthEvents(rules, { type, sender, stateKey, content })) want(pair)
  }
  for (const key of conflictedKeys(difference)) wanted.delete(key)
  const ids = await difference.readUnconflicted([...wanted.values()])
  await cache.load(ids.filter((id) => id !== undefined))
  const start = new Map<StateKey, RoomEvent>()
  for (const [at, key] of [...wanted.keys()].entries()) {
    const id = ids[at]
    if (id !== undefined) start.set(key, cache.get(id))
  }
  return start
}

/** The keys on which the state sets differ, packed. */
export function conflictedKeys(difference: Resolution['difference']): ReadonlySet<StateKey> {
  return new Set(difference.conflicted.map(({ type, stateKey }) => packStateKey(type, stateKey)))
}
