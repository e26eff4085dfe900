import { authorizeEvent } from '../event-auth/authorize.ts'
import { unpackStateKey, type StateKey, type StateKeyPair } from '../event-auth/state-key.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { findAuthDifference, findConflictedSubgraph } from './auth-difference.ts'
import { walkAuthGraph, type AuthGraph } from './auth-graph.ts'
import { sortByMainline } from './mainline.ts'
import { createPartialState, withAuthEvents, type PartialState } from './partial-state.ts'
import { selectPowerEvents, sortByPower } from './power-order.ts'
import { conflictedKeys, loadUnconflictedFor } from './start-state.ts'
import type { Resolution } from './state-difference.ts'
import type { StateEntry } from './state-map.ts'

const DEFAULT_MAX_AUTH_CHAIN = 500_000

/**
 * State resolution v2 and, for room version 12 and later, v2.1, which differs in two places: what is replayed (the
 * conflicted subgraph too) and what it is replayed on (nothing, in place of the unconflicted state). For n events in
 * the full conflicted set and an auth chain of V events and E edges: walk and difference O(V + E), orders O(n log n),
 * checks O(n). https://spec.matrix.org/v1.19/rooms/v2/#state-resolution,
 * https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
 */
export async function resolveV2(resolution: Resolution): Promise<readonly StateEntry[]> {
  const { rules, cache, tools } = resolution
  const { graph, fullConflictedSet } = await findFullConflictedSet(resolution)
  const replay = await loadReplay(resolution, fullConflictedSet)
  await tools.pause?.()
  // 1.
  const powerIds = selectPowerEvents(graph, fullConflictedSet, cache.get)
  const powerEvents = [...powerIds].map(cache.get)
  const sortedPowerEvents = await sortByPower(rules, powerEvents, replay.authEventsOf, tools.pause)
  // 2.
  const startsEmpty = rules.stateResolution === 'v2.1'
  const state = createPartialState(
    startsEmpty ? new Map() : await loadUnconflictedFor(resolution, replay.events),
  )
  await applyAllowed(resolution, state, sortedPowerEvents, replay)
  // 3.
  const rest = replay.events.filter(({ eventId }) => !powerIds.has(eventId))
  const sortedRest = await sortByMainline(rest, state.find('m.room.power_levels', ''), cache, tools.pause)
  // 4.
  await applyAllowed(resolution, state, sortedRest, replay)
  // 5.
  return withoutUnconflicted(resolution, state.applied)
}

/** Conflicted state set, auth difference and, in v2.1, conflicted subgraph, with the graph they were found in. */
async function findFullConflictedSet({ rules, difference, cache, tools }: Resolution): Promise<{
  graph: AuthGraph
  fullConflictedSet: ReadonlySet<EventId>
}> {
  const conflictedIds = new Set(
    difference.conflicted.flatMap(({ eventIds }) => eventIds.filter((id) => id !== undefined)),
  )
  const graph = await walkAuthGraph(
    conflictedIds,
    cache,
    tools.maxAuthChain ?? DEFAULT_MAX_AUTH_CHAIN,
    tools.pause,
  )
  const candidates = findAuthDifference(graph, difference.conflicted, difference.setCount)
  const reached: ReadonlySet<EventId> =
    candidates.length === 0 ? new Set() : await difference.findReachedFromUnconflicted(candidates)
  const inDifference = await leaveOutUnconflicted(
    difference,
    cache,
    candidates.filter((id) => !reached.has(id)),
  )
  const fullConflictedSet = new Set([...conflictedIds, ...inDifference])
  if (rules.stateResolution === 'v2.1') {
    for (const id of findConflictedSubgraph(graph, conflictedIds)) fullConflictedSet.add(id)
  }
  return { graph, fullConflictedSet }
}

/**
 * Events that are state in every set do not count for the auth difference, though only some sets may have them in
 * their auth chains. The text forms chains without the state events themselves, and so would replay them; deployed
 * servers count a state event to its set's chain. That changes results: an event that waits for one of these in the
 * power ordering comes later (recordings/forks.json has such a room of version 8). What is the same everywhere wins.
 */
async function leaveOutUnconflicted(
  difference: Resolution['difference'],
  cache: Resolution['cache'],
  ids: readonly EventId[],
): Promise<readonly EventId[]> {
  if (ids.length === 0) return ids
  await cache.load(ids)
  const keys = ids.map((id): StateKeyPair => {
    const { type, state_key: stateKey = '' } = cache.get(id).pdu
    return [type, stateKey]
  })
  const agreed = await difference.readUnconflicted(keys)
  return ids.filter((id, at) => agreed[at] !== id)
}

/** The events to replay, and what they cite. */
interface Replay {
  readonly events: readonly RoomEvent[]
  readonly rejected: ReadonlySet<EventId>
  /** An event's auth events, with the create event where the room version implies it. */
  readonly authEventsOf: (event: RoomEvent) => readonly RoomEvent[]
}

async function loadReplay({ rules, cache, tools }: Resolution, ids: ReadonlySet<EventId>): Promise<Replay> {
  await cache.load(ids)
  await tools.pause?.()
  const events = [...ids].map(cache.get)
  const roomId = events[0]?.roomId
  const implied = rules.roomIdIsCreateHash && roomId !== undefined ? [createEventIdOf(roomId)] : []
  const cited = [...new Set([...events.flatMap(({ authEventIds }) => authEventIds), ...implied])]
  await cache.load(cited)
  await tools.pause?.()
  return {
    events,
    rejected: await cache.source.getRejected(cited),
    authEventsOf: (event) => [...event.authEventIds, ...implied].map(cache.get),
  }
}

/** The iterative auth checks: each event in turn is applied if the state so far allows it. O(1) per event. */
async function applyAllowed(
  { rules, tools }: Resolution,
  state: PartialState,
  events: readonly RoomEvent[],
  { rejected, authEventsOf }: Replay,
): Promise<void> {
  for (const event of events) {
    const turn = tools.pause?.()
    if (turn !== undefined) await turn
    // No message can be part of state, whatever an auth chain says.
    if (event.pdu.state_key === undefined) continue
    const authEvents = authEventsOf(event).filter(({ eventId }) => !rejected.has(eventId))
    const verdict = authorizeEvent(rules, event, withAuthEvents(state, authEvents), tools.verifySignature)
    if (verdict.ok) state.apply(event)
  }
}

/** What was applied, but for keys of the unconflicted state, which stands whatever was replayed. */
async function withoutUnconflicted(
  { difference }: Resolution,
  applied: ReadonlyMap<StateKey, RoomEvent>,
): Promise<readonly StateEntry[]> {
  const conflicted = conflictedKeys(difference)
  const entries = [...applied].map(([key, { eventId }]) => {
    const [type, stateKey] = unpackStateKey(key)
    return { key, entry: { type, stateKey, eventId } }
  })
  const further = entries.filter(({ key }) => !conflicted.has(key))
  const unconflicted =
    further.length === 0
      ? []
      : await difference.readUnconflicted(further.map(({ entry }) => [entry.type, entry.stateKey]))
  const overruled = new Set(further.filter((_, at) => unconflicted[at] !== undefined))
  return entries.filter((item) => !overruled.has(item)).map(({ entry }) => entry)
}
