import type { RoomEvent } from '../events/pdu.ts'
import type { EventId, RoomId } from '../ids/ids.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { ALLOWED, refuse, type Verdict } from './auth-state.ts'
import { selectAuthEvents } from './select-auth-events.ts'
import { packStateKey, type StateKey } from './state-key.ts'

/** Events held by the server, rejected ones included. */
export interface AuthEventLookup {
  find(eventId: EventId): RoomEvent | undefined
  /** Whether the event was rejected when it was received. */
  isRejected(eventId: EventId): boolean
}

/**
 * Whether an event's own list of auth events is in order, whatever the state of the room. This is rule 2 ("Considering
 * the event's `auth_events`") and, from room version 12 on, the rule that the room id names an accepted create event.
 * O(auth events). An auth event that the lookup does not know is a refusal: fetch the chain first.
 * https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules
 */
export function checkAuthEventsSelection(
  rules: RoomVersionRules,
  event: RoomEvent,
  lookup: AuthEventLookup,
): Verdict {
  // Rule 1 decides about create events before anything is said about auth events.
  if (event.pdu.type === 'm.room.create') return ALLOWED
  const problem =
    (rules.roomIdIsCreateHash ? findCreateProblem(event.roomId, lookup) : undefined) ??
    findSelectionProblem(rules, event, lookup)
  return problem === undefined ? ALLOWED : refuse(problem)
}

function findCreateProblem(roomId: RoomId, lookup: AuthEventLookup): string | undefined {
  const create = lookup.find(createEventIdOf(roomId))
  if (create?.pdu.type !== 'm.room.create') return 'The room ID does not name a known create event.'
  return lookup.isRejected(create.eventId) ? 'The create event of this room was rejected.' : undefined
}

function findSelectionProblem(
  rules: RoomVersionRules,
  event: RoomEvent,
  lookup: AuthEventLookup,
): string | undefined {
  const { type, sender, state_key: stateKey, content } = event.pdu
  const allowed = new Set(
    selectAuthEvents(rules, { type, sender, stateKey, content }).map((pair) => packStateKey(...pair)),
  )
  const seen = new Set<StateKey>()
  for (const id of event.authEventIds) {
    const problem = findEntryProblem(id, event, lookup, allowed, seen)
    if (problem !== undefined) return problem
  }
  if (!rules.roomIdIsCreateHash && !seen.has(packStateKey('m.room.create', ''))) {
    return 'The event does not list the create event among its auth events.'
  }
  return undefined
}

function findEntryProblem(
  id: EventId,
  event: RoomEvent,
  lookup: AuthEventLookup,
  allowed: ReadonlySet<StateKey>,
  seen: Set<StateKey>,
): string | undefined {
  const entry = lookup.find(id)
  if (entry === undefined) return `The auth event ${id} is not known.`
  const { type, state_key: stateKey } = entry.pdu
  if (stateKey === undefined) return `The auth event ${id} is not a state event.`
  const key = packStateKey(type, stateKey)
  if (seen.has(key)) return `The event lists two auth events for ${type}.`
  seen.add(key)
  if (!allowed.has(key)) return `The event lists ${type} among its auth events, where it does not belong.`
  if (lookup.isRejected(id)) return `The auth event ${id} was rejected.`
  if (entry.roomId !== event.roomId) return `The auth event ${id} is from another room.`
  return undefined
}
