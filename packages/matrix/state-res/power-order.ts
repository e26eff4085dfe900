import { authStateOf } from '../event-auth/auth-state.ts'
import { powerLevelsOf, userLevel } from '../event-auth/power-levels.ts'
import { ownText } from '../event-auth/json-reading.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { compareCodePoints } from '../json/code-point-order.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { AuthGraph } from './auth-graph.ts'
import type { Pause } from './state-difference.ts'
import { createPriorityQueue } from './priority-queue.ts'

/**
 * Whether an event may take away what somebody can do in the room. Like the servers in the field, this counts the
 * create event and leaves out power levels and join rules under another state key than the empty one, of which no
 * rule takes notice; the specification's words differ on both, to no effect but the order of such events.
 * https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export function isPowerEvent({ pdu }: RoomEvent): boolean {
  const { type, state_key: stateKey, sender, content } = pdu
  if (type === 'm.room.power_levels' || type === 'm.room.join_rules' || type === 'm.room.create') {
    return stateKey === ''
  }
  if (type !== 'm.room.member' || stateKey === undefined || stateKey === sender) return false
  const membership = ownText(content, 'membership')
  return membership === 'leave' || membership === 'ban'
}

/**
 * The power events of the full conflicted set, with the part of their auth chains that lies in it. The chain is
 * followed within the set only: that is what deployed servers do, and in room version 12 it is the same, since the
 * conflicted subgraph leaves no gaps. O(V + E) of the set.
 */
export function selectPowerEvents(
  graph: AuthGraph,
  fullConflictedSet: ReadonlySet<EventId>,
  getEvent: (id: EventId) => RoomEvent,
): ReadonlySet<EventId> {
  const selected = new Set<EventId>()
  for (const id of fullConflictedSet) if (isPowerEvent(getEvent(id))) selected.add(id)
  // A set may grow while it is iterated; each event is visited once.
  for (const id of selected) {
    for (const authIndex of graph.authEvents[graph.indexes.get(id)!]!) {
      const authId = graph.ids[authIndex]!
      if (fullConflictedSet.has(authId)) selected.add(authId)
    }
  }
  return selected
}

interface Ranked {
  readonly event: RoomEvent
  readonly power: number
}

/**
 * Reverse topological power ordering: earliest first, auth events before what they permit; among those that are free
 * to come next, more power of the sender first, then the earlier time, then the lesser id. O(n log n + edges).
 * `getAuthEvents` answers an event's auth events, with the create event where the version implies it.
 */
export async function sortByPower(
  rules: RoomVersionRules,
  events: readonly RoomEvent[],
  getAuthEvents: (event: RoomEvent) => readonly RoomEvent[],
  pause?: Pause,
): Promise<readonly RoomEvent[]> {
  const ids = new Set(events.map((event) => event.eventId))
  const waitingFor = new Map<EventId, number>()
  const permits = new Map<EventId, Ranked[]>()
  const ready = createPriorityQueue(compareRanked)
  for (const event of events) {
    const turn = pause?.()
    if (turn !== undefined) await turn
    const ranked = { event, power: senderPower(rules, event, getAuthEvents) }
    const permittedBy = [...new Set(event.authEventIds)].filter((id) => ids.has(id))
    waitingFor.set(event.eventId, permittedBy.length)
    if (permittedBy.length === 0) ready.push(ranked)
    for (const id of permittedBy) append(permits, id, ranked)
  }
  const sorted: RoomEvent[] = []
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    sorted.push(next.event)
    for (const permitted of permits.get(next.event.eventId) ?? []) {
      const left = waitingFor.get(permitted.event.eventId)! - 1
      waitingFor.set(permitted.event.eventId, left)
      if (left === 0) ready.push(permitted)
    }
  }
  // Events on a cycle never become ready. They were never permitted by anything either, and drop out.
  return sorted
}

function senderPower(
  rules: RoomVersionRules,
  event: RoomEvent,
  getAuthEvents: (event: RoomEvent) => readonly RoomEvent[],
): number {
  return userLevel(powerLevelsOf(rules, authStateOf(getAuthEvents(event))), event.pdu.sender)
}

function compareRanked(a: Ranked, b: Ranked): number {
  // Not a subtraction: infinity minus infinity is not a number.
  if (a.power !== b.power) return a.power > b.power ? -1 : 1
  return compareByTime(a.event, b.event)
}

/** Earlier `origin_server_ts` first, then the lesser event id. */
export function compareByTime(a: RoomEvent, b: RoomEvent): number {
  return a.pdu.origin_server_ts - b.pdu.origin_server_ts || compareCodePoints(a.eventId, b.eventId)
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
