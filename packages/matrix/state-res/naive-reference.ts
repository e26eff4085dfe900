/**
 * State resolution v2 and v2.1 once more, for tests: as near to the specification's words as can be, with whole state
 * maps, whole auth chains and no thought of cost. https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
import { authStateOf } from '../event-auth/auth-state.ts'
import { authorizeEvent } from '../event-auth/authorize.ts'
import { powerLevelsOf, userLevel } from '../event-auth/power-levels.ts'
import { packStateKey, type StateKey } from '../event-auth/state-key.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { isPowerEvent } from './power-order.ts'
import type { StateMap } from './state-map.ts'

type Events = ReadonlyMap<EventId, RoomEvent>

export function resolveNaively(rules: RoomVersionRules, maps: readonly StateMap[], events: Events): StateMap {
  const keys = new Set(maps.flatMap((map) => [...map.keys()]))
  const agreed = (key: StateKey) => maps.every((map) => map.has(key) && map.get(key) === maps[0]!.get(key))
  const unconflicted = new Map([...keys].filter(agreed).map((key) => [key, maps[0]!.get(key)!]))
  const conflicted = new Set(
    maps.flatMap((map) => [...map].filter(([key]) => !agreed(key)).map(([, id]) => id)),
  )
  // The one departure from the words: a set's chain holds its state events too, as on deployed servers.
  const chains = maps.map((map) =>
    union([...map.values()].map((id) => new Set([id, ...authChain(id, events)]))),
  )
  const difference = [...union(chains)].filter((id) => !chains.every((chain) => chain.has(id)))
  const full = new Set([...conflicted, ...difference])
  if (rules.stateResolution === 'v2.1') {
    for (const from of conflicted) for (const id of pathsToConflicted(from, conflicted, events)) full.add(id)
  }
  // 1.
  const power = new Set([...full].filter((id) => isPowerEvent(events.get(id)!)))
  for (const id of power) {
    for (const authId of events.get(id)!.authEventIds) if (full.has(authId)) power.add(authId)
  }
  const authEventsOf = (event: RoomEvent): RoomEvent[] => {
    const implied = rules.roomIdIsCreateHash ? [createEventIdOf(event.roomId)] : []
    return [...event.authEventIds, ...implied].map((id) => events.get(id)!)
  }
  // 2.
  const state = new Map<StateKey, EventId>(rules.stateResolution === 'v2.1' ? [] : unconflicted)
  const apply = (sorted: readonly RoomEvent[]): void => {
    for (const event of sorted) {
      const own = authEventsOf(event)
      const resolved = [...state.values()].map((id) => events.get(id)!)
      if (!authorizeEvent(rules, event, authStateOf([...own, ...resolved]), () => false).ok) continue
      state.set(packStateKey(event.pdu.type, event.pdu.state_key!), event.eventId)
    }
  }
  apply(
    sortTopologically(
      [...power].map((id) => events.get(id)!),
      rules,
      authEventsOf,
    ),
  )
  // 3. and 4.
  const top = state.get(packStateKey('m.room.power_levels', ''))
  const mainline = top === undefined ? [] : [top, ...powerLevelsChain(top, events)]
  const position = (event: RoomEvent): number => {
    const found = powerLevelsChain(event.eventId, events).find((id) => mainline.includes(id))
    return found === undefined ? Infinity : mainline.indexOf(found)
  }
  const rest = [...full].filter((id) => !power.has(id)).map((id) => events.get(id)!)
  apply(rest.sort((x, y) => compare(-position(x), -position(y)) || byTime(x, y)))
  // 5.
  return new Map([...state, ...unconflicted])
}

export function authChain(id: EventId, events: Events): Set<EventId> {
  const direct = events.get(id)!.authEventIds
  return new Set([...direct, ...direct.flatMap((authId) => [...authChain(authId, events)])])
}

function pathsToConflicted(from: EventId, conflicted: ReadonlySet<EventId>, events: Events): EventId[] {
  const further = events.get(from)!.authEventIds.flatMap((id) => pathsToConflicted(id, conflicted, events))
  return further.length > 0 || conflicted.has(from) ? [from, ...further] : []
}

function powerLevelsChain(id: EventId, events: Events): EventId[] {
  const next = events
    .get(id)!
    .authEventIds.find((authId) => events.get(authId)!.pdu.type === 'm.room.power_levels')
  return next === undefined ? [] : [next, ...powerLevelsChain(next, events)]
}

function sortTopologically(
  events: readonly RoomEvent[],
  rules: RoomVersionRules,
  authEventsOf: (event: RoomEvent) => RoomEvent[],
): RoomEvent[] {
  const power = (event: RoomEvent) =>
    userLevel(powerLevelsOf(rules, authStateOf(authEventsOf(event))), event.pdu.sender)
  const left = [...events]
  const sorted: RoomEvent[] = []
  while (left.length > 0) {
    const ready = left.filter(
      ({ authEventIds }) => !left.some((other) => authEventIds.includes(other.eventId)),
    )
    ready.sort((x, y) => compare(power(y), power(x)) || byTime(x, y))
    sorted.push(...left.splice(left.indexOf(ready[0]!), 1))
  }
  return sorted
}

function byTime(x: RoomEvent, y: RoomEvent): number {
  return compare(x.pdu.origin_server_ts, y.pdu.origin_server_ts) || (x.eventId < y.eventId ? -1 : 1)
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function union<T>(sets: readonly ReadonlySet<T>[]): Set<T> {
  return new Set(sets.flatMap((set) => [...set]))
}
