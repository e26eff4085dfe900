import type { AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import { authorizeEvent } from '@causeway/matrix/event-auth/authorize.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { buildEvent, type BuiltEvent, type EventDraft as MatrixDraft } from '@causeway/matrix/events/build.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { sha256 } from '../crypto/sha256.ts'
import { verifySignature } from '../crypto/verify.ts'
import { readerOf, readStateAt } from './current-state.ts'
import { rankParents } from './choose-parents.ts'
import type { RoomEngine } from './engine.ts'
import { timelineFlags } from './flags.ts'
import type { Extremity } from './head.ts'
import { takePrepared, type PreparedEvent } from './policy/own-events.ts'
import {
  changeRoot,
  holdState,
  internKey,
  lasting,
  replaceState,
  stateOf,
  type EventDraft,
  type NewEvent,
  type RoomWrite,
} from './room-write.ts'
import { advanceRoomState } from './state/advance-room-state.ts'
import { resolveRoots } from './state/resolve-roots.ts'
import type { StateEntry } from './state-entry.ts'
import { toStoredEvent } from './stored-event.ts'

/** Where an event of ours goes: what it points at, and the state there. */
interface Place {
  readonly parents: readonly Extremity[]
  /** Extremities that it leaves for the next ones to point at. */
  readonly others: readonly Extremity[]
  readonly stateBefore: number
}

/** An event may name twenty; ten are enough to bring any number down, and cheap to resolve over. */
const MAX_PARENTS = 10

async function findPlace(engine: RoomEngine, write: RoomWrite, draft: EventDraft): Promise<Place> {
  if (write.extremities.length <= MAX_PARENTS) {
    return { parents: write.extremities, others: [], stateBefore: write.stateRoot }
  }
  const sorted = await rankParents(write, draft)
  const parents = sorted.slice(0, MAX_PARENTS)
  const roots = parents.map(({ root }) => root)
  return {
    parents,
    others: sorted.slice(MAX_PARENTS),
    stateBefore: await resolveRoots(engine, write, roots),
  }
}

/** The place of an event that was built before: its parents stay, whatever has come since. */
async function placeBehind(
  engine: RoomEngine,
  write: RoomWrite,
  parents: readonly Extremity[],
): Promise<Place> {
  const ids = new Set(parents.map(({ eventId }) => eventId))
  const roots = parents.map(({ root }) => root)
  const others = write.extremities.filter(({ eventId }) => !ids.has(eventId))
  const own = write.extremities.filter(({ eventId }) => ids.has(eventId))
  // Events of one write follow each other: what was built behind the first one stands behind it again.
  const stateBefore = await resolveRoots(
    engine,
    write,
    own.length === parents.length ? own.map(({ root }) => root) : roots,
  )
  return { parents: own.length === parents.length ? own : parents, others, stateBefore }
}

/** While it was being signed the room went on: what became of it must allow the event as well. */
async function requireStillAllowed(engine: RoomEngine, write: RoomWrite, event: RoomEvent): Promise<void> {
  const state = new Map<StateKey, RoomEvent>()
  const { type, sender, state_key: stateKey, content } = event.pdu
  const keys = [
    ...selectAuthEvents(write.head.rules, { type, sender, stateKey, content }),
    ['m.room.create', ''] as const,
  ]
  for (const [ofType, ofKey] of keys) {
    const entry = await stateOf(engine, write, ofType, ofKey)
    if (entry !== undefined) state.set(packStateKey(ofType, ofKey), entry.roomEvent)
  }
  const now: AuthState = { get: (ofType, ofKey) => state.get(packStateKey(ofType, ofKey)) }
  const verdict = authorizeEvent(write.head.rules, asIfSigned(event), now, verifySignature)
  if (!verdict.ok) throw forbidden(verdict.reason)
}

/** State as the event finds it: the room's current one, unless it leaves branches aside. */
async function stateBeforeIt(
  engine: RoomEngine,
  write: RoomWrite,
  { stateBefore }: Place,
  type: string,
  stateKey: string,
): Promise<StateEntry | undefined> {
  if (stateBefore === write.stateRoot) return stateOf(engine, write, type, stateKey)
  return readStateAt(readerOf(engine, write.head), write.head, stateBefore, type, stateKey)
}

/**
 * The first event of a room that does not exist yet. Without a room id the id follows from the event.
 * https://spec.matrix.org/v1.19/client-server-api/#mroomcreate
 */
export function buildCreateEvent(
  engine: Pick<RoomEngine, 'random' | 'serverName'>,
  rules: RoomVersionRules,
  draft: EventDraft & { readonly originServerTs: number },
  roomId: RoomId | undefined,
): BuiltEvent {
  const place = { depth: 1, prevEventIds: [], authEventIds: [] }
  const full = { ...draft, ...place, ...embeddedId(engine, rules) }
  return buildEvent(rules, roomId === undefined ? full : { ...full, roomId }, { sha256 })
}

/** In room versions 1 and 2 an event's id is made up by its server. */
function embeddedId(
  { random, serverName }: Pick<RoomEngine, 'random' | 'serverName'>,
  rules: RoomVersionRules,
): { eventId?: EventId } {
  return rules.eventId === 'embedded' ? { eventId: `$${random.token(24)}:${serverName}` as EventId } : {}
}

/**
 * Makes an event of a draft: chooses its auth events, hashes, authorises, and adds it to the write.
 * Throws `M_FORBIDDEN` with the reason when the room's rules refuse it.
 * https://spec.matrix.org/v1.19/server-server-api/#authorization-rules
 * @param ready the event, when it was built already (create events, which the room's id may follow from)
 */
export async function appendEvent(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
  ready?: BuiltEvent,
): Promise<NewEvent> {
  const made = await makeEvent(engine, write, draft, ready)
  const event = await addEvent(engine, write, made)
  write.made.push({ draft, built: made.roomEvent, parents: made.place.parents })
  return event
}

/**
 * An event at the end of the room that is not to be written now, because somebody else signs it first. Throws
 * `M_FORBIDDEN` where the room's rules refuse it.
 */
export async function draftEvent(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
): Promise<BuiltEvent> {
  return (await makeEvent(engine, write, draft)).roomEvent
}

/** An event, where it goes, and what permits it; with signatures where it has been signed already. */
interface Made {
  readonly roomEvent: BuiltEvent
  readonly place: Place
  readonly auth: readonly number[]
  readonly prepared: PreparedEvent | undefined
  readonly isDelayed: boolean
}

async function makeEvent(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
  ready?: BuiltEvent,
): Promise<Made> {
  const { rules } = write.head
  const prepared = takePrepared(write, draft)
  const place =
    prepared === undefined
      ? await findPlace(engine, write, draft)
      : await placeBehind(engine, write, prepared.parents)
  const authEvents = new Map<StateKey, RoomEvent>()
  const auth: number[] = []
  for (const [type, stateKey] of selectAuthEvents(rules, draft)) {
    const entry = await stateBeforeIt(engine, write, place, type, stateKey)
    if (entry === undefined) continue
    authEvents.set(packStateKey(type, stateKey), entry.roomEvent)
    auth.push(entry.stored.stateNid)
  }
  const built = ready ?? prepared?.built
  const roomEvent = built ?? buildDraft(engine, write, draft, place, [...authEvents.values()])
  const create = (await stateBeforeIt(engine, write, place, 'm.room.create', ''))?.roomEvent
  const state: AuthState = {
    get: (type, stateKey) =>
      type === 'm.room.create' ? create : authEvents.get(packStateKey(type, stateKey)),
  }
  const verdict = authorizeEvent(rules, asIfSigned(roomEvent), state, verifySignature)
  if (!verdict.ok) throw forbidden(verdict.reason)
  if (prepared !== undefined) await requireStillAllowed(engine, write, roomEvent)
  return { roomEvent, place, auth, prepared, isDelayed: draft.isDelayed === true }
}

/** Whoever authorises a restricted join signs it later: the rules ask whether a signature is there. */
function asIfSigned(event: RoomEvent): RoomEvent {
  const via = event.pdu.content['join_authorised_via_users_server']
  if (typeof via !== 'string') return event
  const signatures = { [serverNameOf(via as UserId)]: { 'ed25519:pending': '' } }
  return { ...event, pdu: { ...event.pdu, signatures } }
}

function buildDraft(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
  { parents }: Place,
  authEvents: readonly RoomEvent[],
): BuiltEvent {
  const { rules, roomId } = write.head
  const full: MatrixDraft = {
    ...draft,
    ...embeddedId(engine, rules),
    roomId,
    originServerTs: draft.originServerTs ?? engine.clock.now(),
    depth: Math.min(depthAfter(parents), Number.MAX_SAFE_INTEGER),
    prevEventIds: parents.map(({ eventId }) => eventId),
    authEventIds: authEvents.map((event) => event.eventId),
  }
  if (!rules.referencePairs) return buildEvent(rules, full, { sha256 })
  const referenceHashes = new Map<EventId, string>([
    ...parents.map(({ eventId, hash }) => [eventId, hash ?? ''] as const),
    ...authEvents.map((event) => [event.eventId, referenceHash(rules, event.pdu, sha256)] as const),
  ])
  return buildEvent(rules, { ...full, referenceHashes }, { sha256 })
}

function depthAfter(parents: readonly Extremity[]): number {
  return 1 + Math.max(0, ...parents.map(({ depth }) => depth))
}

/** Adds an authorised event: state first, since the event's row names the state after it. */
async function addEvent(engine: RoomEngine, write: RoomWrite, made: Made): Promise<NewEvent> {
  const { roomEvent, place, auth, prepared } = made
  const { type, state_key: stateKey } = roomEvent.pdu
  const depth = depthAfter(place.parents)
  const stateNid = stateKey === undefined ? 0 : write.next.event
  const replaced =
    stateKey === undefined ? undefined : await stateBeforeIt(engine, write, place, type, stateKey)
  const stateRoot = await rootAfter(write, roomEvent, place.stateBefore, stateNid)
  const hash = write.head.rules.referencePairs
    ? { hash: referenceHash(write.head.rules, roomEvent.pdu, sha256) }
    : {}
  write.extremities = [...place.others, { eventId: roomEvent.eventId, depth, root: stateRoot, ...hash }]
  const numbers = { nid: 0, depth, stateRoot, stateBefore: place.stateBefore, stateNid }
  const flags = timelineFlags(roomEvent.pdu) | (made.isDelayed ? EventFlag.delayed : 0)
  const stored =
    place.others.length === 0
      ? toStoredEvent(write.head, roomEvent, { ...numbers, roomRoot: stateRoot, flags })
      : await storeBesideOthers(engine, write, roomEvent, { ...numbers, flags })
  if (place.others.length === 0) write.stateRoot = stateRoot
  if (stateNid !== 0) keepState(write, { roomEvent: lasting(roomEvent), stored }, place)
  const { head, tail, signed } = roomEvent
  const json = prepared?.json ?? { head, tail, signed }
  const event: NewEvent = { roomEvent, json, stored, auth, replaced, place: 'log' }
  write.events.push(event)
  write.head.pending.set(stored.eventId, stored)
  return event
}

async function rootAfter(
  write: RoomWrite,
  { pdu }: BuiltEvent,
  stateBefore: number,
  stateNid: number,
): Promise<number> {
  if (pdu.state_key === undefined) return stateBefore
  const keyNid = await internKey(write, pdu.type, pdu.state_key)
  write.next = { ...write.next, event: stateNid + 1 }
  return changeRoot(write, stateBefore, [[keyNid, stateNid]])
}

function keepState(write: RoomWrite, entry: StateEntry, { others }: Place): void {
  if (others.length === 0) holdState(write, entry)
  else replaceState(write, entry)
}

/** Where branches are left aside, the room's state is what they and the event resolve to. */
async function storeBesideOthers(
  engine: RoomEngine,
  write: RoomWrite,
  roomEvent: BuiltEvent,
  numbers: Omit<Parameters<typeof toStoredEvent>[2], 'roomRoot'>,
): Promise<StoredEvent> {
  const flags = numbers.flags | (numbers.stateBefore === write.stateRoot ? 0 : EventFlag.branched)
  const place = { ...numbers, flags }
  const early = toStoredEvent(write.head, roomEvent, { ...place, roomRoot: numbers.stateRoot })
  if (numbers.stateNid !== 0) {
    write.head.entries.set(numbers.stateNid, { roomEvent: lasting(roomEvent), stored: early })
  }
  const roots = write.extremities.map(({ root }) => root)
  await advanceRoomState(engine, write, await resolveRoots(engine, write, roots))
  return toStoredEvent(write.head, roomEvent, { ...place, roomRoot: write.stateRoot })
}
