import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { authStateOf, type AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import { authorizeEvent } from '@causeway/matrix/event-auth/authorize.ts'
import { checkAuthEventsSelection } from '@causeway/matrix/event-auth/check-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { authIdsOf } from '../receive/auth-lookup.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'

/** What a resident server said of a room cannot be true, or is not enough to go on. */
export class AnswerRefused extends Error {
  override readonly name = 'AnswerRefused'
}

/** What it said may be true, and forbids what we want to do. */
export class JoinRefused extends AnswerRefused {}

export interface RoomAnswer {
  readonly state: readonly VerifiedPdu[]
  readonly authChain: readonly VerifiedPdu[]
}

/** What is left of an answer once everything in it was checked. */
export interface CheckedRoom {
  /** Every event that may be kept, its auth events before it. */
  readonly ordered: readonly VerifiedPdu[]
  readonly state: ReadonlyMap<StateKey, VerifiedPdu>
  /** Events that were left out, and why. */
  readonly refused: readonly { readonly eventId: EventId; readonly reason: string }[]
}

/**
 * Checks a room's state with its auth chain as a resident server tells it: nothing of it is believed because they say
 * so. Each event must be allowed by its own auth events, all the way down to the create event; what is not, or lies
 * on a cycle, or lacks an auth event, is left out, and so is all that rests on it.
 * Throws `AnswerRefused` when the create event is missing or another's, or two events are given for one key.
 * https://spec.matrix.org/v1.19/server-server-api/#joining-rooms
 */
export function checkRoomAnswer(
  room: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  answer: RoomAnswer,
): CheckedRoom {
  const all = new Map<EventId, VerifiedPdu>()
  for (const pdu of [...answer.authChain, ...answer.state]) all.set(pdu.event.eventId, pdu)
  const { ordered, refused } = authorizeInOrder(room.rules, all)
  const kept = new Set(ordered.map(({ event }) => event.eventId))
  const state = stateOfAnswer(answer.state, kept)
  requireCreate(room, state)
  return { ordered, state, refused }
}

/** Auth events before those that name them; what never gets its turn lies on a cycle or lacks one. */
function authorizeInOrder(
  rules: RoomVersionRules,
  all: ReadonlyMap<EventId, VerifiedPdu>,
): Pick<CheckedRoom, 'ordered' | 'refused'> {
  const ordered: VerifiedPdu[] = []
  const refused: { eventId: EventId; reason: string }[] = []
  const accepted = new Map<EventId, RoomEvent>()
  const rejected = new Set<EventId>()
  for (const pdu of sortByAuth(rules, all)) {
    const { event } = pdu
    const reason = refusalOf(rules, event, accepted, rejected)
    if (reason === undefined) {
      accepted.set(event.eventId, event)
      ordered.push(pdu)
    } else {
      rejected.add(event.eventId)
      refused.push({ eventId: event.eventId, reason })
    }
  }
  for (const eventId of all.keys()) {
    if (accepted.has(eventId) || rejected.has(eventId)) continue
    refused.push({ eventId, reason: 'an auth event of it is missing, or they go in a circle' })
  }
  return { ordered, refused }
}

function refusalOf(
  rules: RoomVersionRules,
  event: RoomEvent,
  accepted: ReadonlyMap<EventId, RoomEvent>,
  rejected: ReadonlySet<EventId>,
): string | undefined {
  if (event.pdu.state_key === undefined) return 'it is no state event'
  const selection = checkAuthEventsSelection(rules, event, {
    find: (eventId) => accepted.get(eventId),
    isRejected: (eventId) => rejected.has(eventId),
  })
  if (!selection.ok) return selection.reason
  const auth = authIdsOf(rules, event).map((eventId) => accepted.get(eventId))
  const state = authStateOf(auth.filter((entry) => entry !== undefined))
  const verdict = authorizeEvent(rules, event, state, verifySignature)
  return verdict.ok ? undefined : verdict.reason
}

/** Kahn's algorithm, O(events and edges): only events all of whose auth events are there and came before. */
function sortByAuth(rules: RoomVersionRules, all: ReadonlyMap<EventId, VerifiedPdu>): VerifiedPdu[] {
  const waitingFor = new Map<EventId, number>()
  const children = new Map<EventId, EventId[]>()
  const ready: EventId[] = []
  for (const [eventId, { event }] of all) {
    const auth = new Set(authIdsOf(rules, event))
    waitingFor.set(eventId, auth.size)
    if (auth.size === 0) ready.push(eventId)
    for (const parent of auth) {
      const list = children.get(parent)
      if (list === undefined) children.set(parent, [eventId])
      else list.push(eventId)
    }
  }
  const sorted: VerifiedPdu[] = []
  // `ready` grows as it is walked.
  for (const eventId of ready) {
    sorted.push(all.get(eventId)!)
    for (const child of children.get(eventId) ?? []) {
      const left = waitingFor.get(child)! - 1
      waitingFor.set(child, left)
      if (left === 0) ready.push(child)
    }
  }
  return sorted
}

function stateOfAnswer(
  given: readonly VerifiedPdu[],
  kept: ReadonlySet<EventId>,
): Map<StateKey, VerifiedPdu> {
  const state = new Map<StateKey, VerifiedPdu>()
  for (const pdu of given) {
    const { type, state_key: stateKey } = pdu.event.pdu
    if (stateKey === undefined || !kept.has(pdu.event.eventId)) continue
    const key = packStateKey(type, stateKey)
    const other = state.get(key)
    if (other !== undefined && other.event.eventId !== pdu.event.eventId) {
      throw new AnswerRefused(
        `it gives two events for ${type} with the state key ${JSON.stringify(stateKey)}`,
      )
    }
    state.set(key, pdu)
  }
  return state
}

function requireCreate(
  { roomId, rules }: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  state: ReadonlyMap<StateKey, VerifiedPdu>,
): void {
  const create = state.get(packStateKey('m.room.create', ''))?.event
  if (create === undefined) throw new AnswerRefused('the state has no valid create event')
  if (create.roomId !== roomId) throw new AnswerRefused('the create event founds another room')
  const version = create.pdu.content['room_version'] ?? '1'
  if (version !== rules.version) {
    throw new AnswerRefused(
      `the create event says room version ${JSON.stringify(version)}, not ${rules.version}`,
    )
  }
}

/** Why an event of ours is not allowed by a state that has all members, or undefined. */
export function refusalByWholeState(
  rules: RoomVersionRules,
  event: RoomEvent,
  { state }: CheckedRoom,
): string | undefined {
  const whole: AuthState = { get: (type, key) => state.get(packStateKey(type, key))?.event }
  const verdict = authorizeEvent(rules, event, whole, verifySignature)
  return verdict.ok ? undefined : verdict.reason
}

/**
 * Why an event of ours is not allowed by the state that was told, or undefined.
 * @param membersOmitted the state lacks members: who is not in it counts as the event's own auth events say
 */
export function refusalByState(
  rules: RoomVersionRules,
  event: RoomEvent,
  { ordered, state }: CheckedRoom,
  membersOmitted: boolean,
): string | undefined {
  const byId = new Map(ordered.map((pdu) => [pdu.event.eventId, pdu.event]))
  const selection = checkAuthEventsSelection(rules, event, {
    find: (eventId) => byId.get(eventId),
    isRejected: () => false,
  })
  if (!selection.ok) return selection.reason
  const own = authStateOf(
    authIdsOf(rules, event)
      .map((eventId) => byId.get(eventId))
      .filter((entry) => entry !== undefined),
  )
  const now: AuthState = {
    get: (type, key) =>
      state.get(packStateKey(type, key))?.event ??
      (membersOmitted && type === 'm.room.member' ? own.get(type, key) : undefined),
  }
  for (const view of [own, now]) {
    const verdict = authorizeEvent(rules, event, view, verifySignature)
    if (!verdict.ok) return verdict.reason
  }
  return undefined
}
