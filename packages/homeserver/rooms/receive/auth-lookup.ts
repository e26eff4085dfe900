import { checkAuthEventsSelection } from '@causeway/matrix/event-auth/check-auth-events.ts'
import { authStateOf, type AuthState, type Verdict } from '@causeway/matrix/event-auth/auth-state.ts'
import { authorizeEvent } from '@causeway/matrix/event-auth/authorize.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { findSizeFault } from '@causeway/matrix/events/check-format.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { createEventIdOf } from '@causeway/matrix/ids/room-id.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { readerOf, readStateEntries, readStateKeysAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { changeRoot, internKey, stateOf, type RoomWrite } from '../room-write.ts'
import { writerAuthGraph } from '../state/auth-graph.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import type { StateEntry } from '../state-entry.ts'

/** The auth events of a batch that are held, by id. */
export type AuthEvents = ReadonlyMap<EventId, StateEntry>

/** What an event's auth events are: those it lists, and since version 12 the create event, which it does not. */
export function authIdsOf(rules: RoomVersionRules, event: RoomEvent): readonly EventId[] {
  if (!rules.roomIdIsCreateHash || event.pdu.type === 'm.room.create') return event.authEventIds
  return [...event.authEventIds, createEventIdOf(event.roomId)]
}

/**
 * The auth events of some events as far as they are held: mostly current state, and so in memory; the others by
 * one query. Only inside the room's queue.
 */
export async function findAuthEvents(
  engine: RoomEngine,
  write: RoomWrite,
  events: readonly RoomEvent[],
): Promise<Map<EventId, StateEntry>> {
  const { head } = write
  const found = new Map<EventId, StateEntry>()
  const missing = new Set<EventId>()
  for (const event of events) {
    const current = await currentAuthEvents(engine, write, event)
    for (const id of authIdsOf(head.rules, event)) {
      const entry = current.get(id)
      if (entry === undefined) missing.add(id)
      else found.set(id, entry)
    }
  }
  for (const id of found.keys()) missing.delete(id)
  if (missing.size === 0) return found
  const graph = await writerAuthGraph(engine, head)
  const nids = [...missing].map((id) => graph.nidOf(id)).filter((nid) => nid !== undefined)
  for (const entry of (await readStateEntries(readerOf(engine, head), head, nids)).values()) {
    found.set(entry.stored.eventId, entry)
  }
  return found
}

async function currentAuthEvents(
  engine: RoomEngine,
  write: RoomWrite,
  event: RoomEvent,
): Promise<Map<EventId, StateEntry>> {
  const current = new Map<EventId, StateEntry>()
  for (const [type, stateKey] of [...keysOf(write.head.rules, event), CREATE]) {
    const entry = await stateOf(engine, write, type, stateKey)
    if (entry !== undefined) current.set(entry.stored.eventId, entry)
  }
  return current
}

const CREATE = ['m.room.create', ''] as const

function keysOf(rules: RoomVersionRules, { pdu }: RoomEvent): readonly (readonly [string, string])[] {
  return selectAuthEvents(rules, {
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu.state_key,
    content: pdu.content,
  })
}

/**
 * Fourth check on receipt: the event is allowed by the auth events it lists itself. Refused, too, when one of them is
 * not held. https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export function authorizeByOwnAuthEvents(
  rules: RoomVersionRules,
  event: RoomEvent,
  held: AuthEvents,
): Verdict {
  const sizeFault = findSizeFault(event.pdu)
  if (sizeFault !== undefined) return { ok: false, reason: sizeFault }
  const selection = checkAuthEventsSelection(rules, event, {
    find: (id) => held.get(id)?.roomEvent,
    isRejected: (id) => ((held.get(id)?.stored.flags ?? 0) & EventFlag.rejected) !== 0,
  })
  if (!selection.ok) return selection
  const listed = authIdsOf(rules, event).flatMap((id) => held.get(id)?.roomEvent ?? [])
  return authorizeEvent(rules, event, authStateOf(listed), verifySignature)
}

/** The part of the state at a root that authorising an event asks for. */
export async function authStateAt(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
  event: RoomEvent,
): Promise<AuthState> {
  const { head } = write
  const keys = [...keysOf(head.rules, event), CREATE]
  const state = new Map<StateKey, RoomEvent>()
  if (root === write.stateRoot) {
    for (const [type, stateKey] of keys) {
      const entry = await stateOf(engine, write, type, stateKey)
      if (entry !== undefined) state.set(packStateKey(type, stateKey), entry.roomEvent)
    }
  } else {
    const names = keys.map(([type, stateKey]) => ({ type, stateKey }))
    const entries = await readStateKeysAt(readerOf(engine, head), head, root, names)
    entries.forEach((entry, at) => {
      if (entry !== undefined) state.set(packStateKey(...keys[at]!), entry.roomEvent)
    })
  }
  return { get: (type, stateKey) => state.get(packStateKey(type, stateKey)) }
}

/**
 * Fifth and sixth check on receipt: the event is allowed by the state before it, or by the current state. While a
 * room's members are not all here, what the event names as permitting it is heard, too: where we know nothing, and
 * where state resolution prefers it to what we took for true. Everything is judged anew once the room is whole.
 */
export async function authorizeAt(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
  event: RoomEvent,
  authEvents: AuthEvents,
): Promise<Verdict> {
  if (engine.partial.find(write.head.roomNid) === undefined)
    return authorizeAtWhole(engine, write, root, event)
  const verdict = await authorizeAtPartial(engine, write, root, event, authEvents)
  if (verdict.ok) return verdict
  const resolved = await resolveWithOwn(engine, write, root, event, authEvents)
  return resolved === root ? verdict : authorizeAtPartial(engine, write, resolved, event, authEvents)
}

async function authorizeAtPartial(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
  event: RoomEvent,
  authEvents: AuthEvents,
): Promise<Verdict> {
  const state = withOwnMembers(await authStateAt(engine, write, root, event), event, authEvents)
  return authorizeEvent(write.head.rules, event, state, verifySignature)
}

/** What a state and the same with an event's own auth events in it resolve to. */
async function resolveWithOwn(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
  event: RoomEvent,
  authEvents: AuthEvents,
): Promise<number> {
  const changes: [number, number][] = []
  for (const id of authIdsOf(write.head.rules, event)) {
    const stored = authEvents.get(id)?.stored
    if (stored === undefined) continue
    changes.push([await internKey(write, stored.type, stored.stateKey!), stored.stateNid])
  }
  return resolveRoots(engine, write, [root, await changeRoot(write, root, changes)])
}

/** By a state that is known whole, whatever is known of the room. */
export async function authorizeAtWhole(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
  event: RoomEvent,
): Promise<Verdict> {
  const state = await authStateAt(engine, write, root, event)
  return authorizeEvent(write.head.rules, event, state, verifySignature)
}

/** While a room's members are not all here, memberships that are not known are what the event's auth events say. */
function withOwnMembers(state: AuthState, event: RoomEvent, authEvents: AuthEvents): AuthState {
  const own = authStateOf(event.authEventIds.flatMap((id) => authEvents.get(id)?.roomEvent ?? []))
  return {
    get: (type, stateKey) =>
      state.get(type, stateKey) ?? (type === 'm.room.member' ? own.get(type, stateKey) : undefined),
  }
}
