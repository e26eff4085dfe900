import { authorizeEvent } from '../event-auth/authorize.ts'
import type { AuthState } from '../event-auth/auth-state.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { createPartialState } from './partial-state.ts'
import { loadUnconflictedFor } from './start-state.ts'
import type { Resolution } from './state-difference.ts'
import type { StateEntry } from './state-map.ts'

/** The types that permit others, in the order in which their conflicts are resolved. */
const AUTH_TYPES = ['m.room.power_levels', 'm.room.join_rules', 'm.room.member'] as const

interface Conflict {
  readonly type: string
  /** Lowest depth first, then the greater `sha1(event_id)`. */
  readonly candidates: readonly RoomEvent[]
}

/**
 * State resolution of room version 1. Only different events under a key are a conflict: what some sets have and others
 * lack is taken over. O(c log c) for c conflicted events. https://spec.matrix.org/v1.19/rooms/v1/#state-resolution
 *
 * The text leaves open whether members resolved earlier count for those resolved later; here they do not, as in the
 * servers of the time, so that the result does not depend on the order of keys. It also leaves open what stands where
 * no candidate is allowed: here the one of least depth, as on the servers that rooms of this version live on (the
 * recorded room of version 1 has such a case).
 */
export async function resolveV1(resolution: Resolution): Promise<readonly StateEntry[]> {
  const { difference, cache } = resolution
  const ids = difference.conflicted.map((key) => new Set(key.eventIds.filter((id) => id !== undefined)))
  await cache.load(ids.flatMap((set) => [...set]))
  const events = ids.flatMap((set) => [...set].map(cache.get))
  const state = createPartialState(await loadUnconflictedFor(resolution, events))
  const current: AuthState = { get: state.find }
  const conflicts: Conflict[] = []
  for (const [at, { type }] of difference.conflicted.entries()) {
    const candidates = sortCandidates(resolution, ids[at]!)
    if (candidates.length === 1) state.apply(candidates[0]!)
    else conflicts.push({ type, candidates })
  }
  for (const authType of AUTH_TYPES) {
    const ofType = conflicts.filter(({ type }) => type === authType)
    const resolved = ofType.map(({ candidates }) => resolveAuthConflict(resolution, current, candidates))
    for (const event of resolved) state.apply(event)
  }
  const others = conflicts
    .filter(({ type }) => !(AUTH_TYPES as readonly string[]).includes(type))
    .map(
      ({ candidates }) =>
        candidates.findLast((event) => isAllowed(resolution, event, current)) ?? candidates[0]!,
    )
  for (const event of others) state.apply(event)
  return [...state.applied.values()].map(({ eventId, pdu }) => ({
    type: pdu.type,
    stateKey: pdu.state_key ?? '',
    eventId,
  }))
}

function sortCandidates({ cache, tools }: Resolution, ids: ReadonlySet<EventId>): readonly RoomEvent[] {
  const candidates = [...ids].map(cache.get)
  if (candidates.length < 2) return candidates
  return candidates
    .map((event) => ({ event, hash: tools.sha1(event.eventId) }))
    .sort((a, b) => a.event.pdu.depth - b.event.pdu.depth || (a.hash > b.hash ? -1 : 1))
    .map(({ event }) => event)
}

/** The first candidate, then each next one as long as the one before allows it. */
function resolveAuthConflict(
  resolution: Resolution,
  state: AuthState,
  candidates: readonly RoomEvent[],
): RoomEvent {
  let accepted = candidates[0]!
  const { type, state_key: stateKey } = accepted.pdu
  const withAccepted: AuthState = {
    get: (t, k) => (t === type && k === stateKey ? accepted : state.get(t, k)),
  }
  for (const event of candidates.slice(1)) {
    if (!isAllowed(resolution, event, withAccepted)) return accepted
    accepted = event
  }
  return accepted
}

function isAllowed({ rules, tools }: Resolution, event: RoomEvent, state: AuthState): boolean {
  return authorizeEvent(rules, event, state, tools.verifySignature).ok
}
