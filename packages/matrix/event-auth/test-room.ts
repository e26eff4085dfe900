/**
 * Rooms for tests: events by name, each after another, with auth events and states worked out. Ids are made from the
 * names (`$name`, in versions 1 and 2 `$name:server`), since nothing here is hashed or signed.
 */
import type { JsonObject, RoomEvent } from '../events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '../ids/ids.ts'
import { roomIdOfCreate } from '../ids/room-id.ts'
import { serverNameOf } from '../ids/user-id.ts'
import { findRoomVersion, type RoomVersionRules } from '../room-versions/rules.ts'
import type { AuthState } from './auth-state.ts'
import { selectAuthEvents } from './select-auth-events.ts'
import { packStateKey, type StateKey } from './state-key.ts'

export interface TestEvent {
  readonly id: string
  readonly type: string
  readonly sender: string
  readonly stateKey?: string | undefined
  readonly content?: JsonObject | undefined
  /** Name of the previous event; the one sent before, unless told. */
  readonly after?: string | undefined
  /** Names of the auth events; selected from the state before, unless told. */
  readonly auth?: readonly string[] | undefined
  /** The state before, where it does not simply follow from the previous event. */
  readonly stateBefore?: ReadonlyMap<StateKey, EventId> | undefined
  readonly ts?: number | undefined
  readonly depth?: number | undefined
  readonly redacts?: string | undefined
  readonly signedBy?: readonly string[] | undefined
}

export interface TestRoom {
  readonly rules: RoomVersionRules
  readonly events: ReadonlyMap<EventId, RoomEvent>
  send(event: TestEvent): RoomEvent
  idOf(name: string): EventId
  /** State after the event, as entries and for authorisation. */
  stateAfter(name: string): ReadonlyMap<StateKey, EventId>
  authStateAfter(name: string): AuthState
}

/** An empty room of a version. The first event sent has to be its create event. */
export function createTestRoom(version: string): TestRoom {
  const rules = findRoomVersion(version)
  if (rules === undefined) throw new Error(`no room version ${version}`)
  const events = new Map<EventId, RoomEvent>()
  const names = new Map<string, EventId>()
  const states = new Map<EventId, ReadonlyMap<StateKey, EventId>>()
  let last: string | undefined

  function idOf(name: string): EventId {
    const id = names.get(name)
    if (id === undefined) throw new Error(`no event named ${name}`)
    return id
  }
  function stateAfter(name: string): ReadonlyMap<StateKey, EventId> {
    return states.get(idOf(name))!
  }
  return {
    rules,
    events,
    idOf,
    stateAfter,
    authStateAfter: (name) => authStateFrom(stateAfter(name), events),
    send(draft) {
      const after = draft.after ?? last
      const before = draft.stateBefore ?? (after === undefined ? new Map() : stateAfter(after))
      const prev = after === undefined ? undefined : events.get(idOf(after))
      const event = makeEvent(rules, draft, prev, draft.auth?.map(idOf) ?? selectIds(rules, draft, before))
      names.set(draft.id, event.eventId)
      events.set(event.eventId, event)
      states.set(event.eventId, applyTo(before, event))
      last = draft.id
      return event
    },
  }
}

/** State as event authorisation asks for it. */
export function authStateFrom(
  state: ReadonlyMap<StateKey, EventId>,
  events: ReadonlyMap<EventId, RoomEvent>,
): AuthState {
  return {
    get(type, stateKey) {
      const id = state.get(packStateKey(type, stateKey))
      return id === undefined ? undefined : events.get(id)
    },
  }
}

function selectIds(
  rules: RoomVersionRules,
  { type, sender, stateKey, content = {} }: TestEvent,
  state: ReadonlyMap<StateKey, EventId>,
): readonly EventId[] {
  return selectAuthEvents(rules, { type, sender, stateKey, content })
    .map((pair) => state.get(packStateKey(...pair)))
    .filter((id) => id !== undefined)
}

function applyTo(
  state: ReadonlyMap<StateKey, EventId>,
  { eventId, pdu }: RoomEvent,
): ReadonlyMap<StateKey, EventId> {
  if (pdu.state_key === undefined) return state
  return new Map([...state, [packStateKey(pdu.type, pdu.state_key), eventId]])
}

function makeEvent(
  rules: RoomVersionRules,
  draft: TestEvent,
  prev: RoomEvent | undefined,
  authEventIds: readonly EventId[],
): RoomEvent {
  const sender = draft.sender as UserId
  const serverName: ServerName = serverNameOf(sender)
  const eventId = (rules.eventId === 'embedded' ? `$${draft.id}:${serverName}` : `$${draft.id}`) as EventId
  const isFirst = draft.type === 'm.room.create' && prev === undefined
  const firstRoomId = rules.roomIdIsCreateHash ? roomIdOfCreate(eventId) : (`!room:${serverName}` as RoomId)
  const roomId = prev?.roomId ?? firstRoomId
  const prevEventIds = prev === undefined ? [] : [prev.eventId]
  return {
    eventId,
    roomId,
    prevEventIds,
    authEventIds,
    pdu: {
      type: draft.type,
      sender,
      ...(rules.roomIdIsCreateHash && isFirst ? {} : { room_id: roomId }),
      content: draft.content ?? {},
      ...(draft.stateKey === undefined ? {} : { state_key: draft.stateKey }),
      ...(draft.redacts === undefined ? {} : { redacts: draft.redacts as EventId }),
      origin_server_ts: draft.ts ?? (prev?.pdu.origin_server_ts ?? 0) + 1,
      depth: draft.depth ?? (prev?.pdu.depth ?? 0) + 1,
      prev_events: [...prevEventIds],
      auth_events: [...authEventIds],
      hashes: { sha256: '' },
      signatures: Object.fromEntries(
        (draft.signedBy ?? [serverName]).map((name) => [name, { 'ed25519:1': '' }]),
      ),
    },
  }
}
