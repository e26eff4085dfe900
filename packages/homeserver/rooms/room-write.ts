import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { BuiltEvent, EventDraft as MatrixDraft } from '@causeway/matrix/events/build.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { NewNode, StateChange } from '@causeway/store/state/apply.ts'
import type { Step, UnsignedPdu, WriteValue } from '@causeway/store/db/database.ts'
import type { MemberChange, StoredEvent } from '@causeway/store/log/entry.ts'
import type { AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import type { RedactedEvent } from './redact-stored.ts'
import type { RoomEngine } from './engine.ts'
import type { StateEntry } from './state-entry.ts'
import { authorizeEvent } from '@causeway/matrix/event-auth/authorize.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { internKeys, type NewKey } from '@causeway/store/state/keys.ts'
import { applyChanges } from '@causeway/store/state/tree.ts'
import { sha256 } from '../crypto/sha256.ts'
import { verifySignature } from '../crypto/verify.ts'
import { readCurrentState } from './current-state.ts'
import { timelineFlags } from './flags.ts'
import type { Extremity, RoomHead, StateNumbers } from './head.ts'
import { toStoredEvent } from './stored-event.ts'

/** What somebody wants to say in a room, before the server makes an event of it. */
export interface EventDraft {
  readonly type: string
  readonly sender: UserId
  readonly content: JsonObject
  readonly stateKey?: string
  /** Of a redaction: what it removes. */
  readonly redacts?: EventId
  /** Defaults to now; appservices may set it. */
  readonly originServerTs?: number
}

/** An event of this write, with all that is stored of it. */
export interface NewEvent {
  readonly roomEvent: RoomEvent
  /** The event as it is stored: to be signed by the writer, or signed already. */
  readonly json: UnsignedPdu | Uint8Array
  readonly stored: StoredEvent
  /** Of a state event: its auth events, by their numbers among the room's state events. */
  readonly auth: readonly number[]
  /** What a state event replaced. */
  readonly replaced: StateEntry | undefined
  /**
   * `log`: the next position, to be told to everybody. `history`: the next number of the decreasing sequence, which
   * no reader of the log sees (back-filled, held for reference, refused).
   */
  readonly place: 'log' | 'history'
  /** The event as it was held until now, as an outlier: its row is kept and gets this place. */
  readonly outlier?: StoredEvent | undefined
}

/**
 * One or more events on their way into a room, in order, each authorised against the state that the ones
 * before it leave. Nothing of it touches the head until it is handed to the log (`persist.ts`).
 */
export interface RoomWrite {
  readonly head: RoomHead
  extremities: readonly Extremity[]
  stateRoot: number
  next: StateNumbers
  /** State that this write changes, over `head.state`; null: it is gone. */
  readonly state: Map<StateKey, StateEntry | null>
  readonly newKeys: NewKey[]
  readonly events: NewEvent[]
  /** Older events that this write redacts, in their new form. */
  readonly redacted: RedactedEvent[]
  readonly newNodes: NewNode[]
  readonly steps: Step[]
  /** Resolutions that this write made; others may use them once their nodes are stored. */
  readonly resolved: Map<string, number>
  /**
   * What the write makes of the room's members, when its events do not tell that themselves (see
   * `EventEntry.memberChanges`); undefined as long as they do.
   */
  memberChanges: readonly MemberChange[] | undefined
}

/** Starts a write at the room's head. Only inside the room's queue. */
export function beginWrite(head: RoomHead): RoomWrite {
  return {
    head,
    extremities: head.extremities,
    stateRoot: head.stateRoot,
    next: head.next,
    state: new Map(),
    newKeys: [],
    events: [],
    redacted: [],
    newNodes: [],
    steps: [],
    resolved: new Map(),
    memberChanges: undefined,
  }
}

/** The room's state as this write leaves it so far. */
export async function stateOf(
  engine: RoomEngine,
  write: RoomWrite,
  type: string,
  stateKey: string,
): Promise<StateEntry | undefined> {
  const own = write.state.get(packStateKey(type, stateKey))
  if (own !== undefined) return own ?? undefined
  return readCurrentState(engine, write.head, type, stateKey)
}

/**
 * The first event of a room that does not exist yet. Without a room id the id follows from the event.
 * https://spec.matrix.org/v1.19/client-server-api/#mroomcreate
 */
export function buildCreateEvent(
  engine: Pick<RoomEngine, 'clock' | 'random' | 'serverName'>,
  rules: RoomVersionRules,
  draft: EventDraft,
  roomId: RoomId | undefined,
): BuiltEvent {
  const place = { depth: 1, prevEventIds: [], authEventIds: [], originServerTs: engine.clock.now() }
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
  const { rules } = write.head
  const authEvents = new Map<StateKey, RoomEvent>()
  const auth: number[] = []
  for (const [type, stateKey] of selectAuthEvents(rules, draft)) {
    const entry = await stateOf(engine, write, type, stateKey)
    if (entry === undefined) continue
    authEvents.set(packStateKey(type, stateKey), entry.roomEvent)
    auth.push(entry.stored.stateNid)
  }
  const depth = 1 + Math.max(0, ...write.extremities.map((extremity) => extremity.depth))
  const roomEvent = ready ?? buildDraft(engine, write, draft, depth, [...authEvents.values()])
  const create = (await stateOf(engine, write, 'm.room.create', ''))?.roomEvent
  const state: AuthState = {
    get: (type, stateKey) =>
      type === 'm.room.create' ? create : authEvents.get(packStateKey(type, stateKey)),
  }
  const verdict = authorizeEvent(rules, roomEvent, state, verifySignature)
  if (!verdict.ok) throw forbidden(verdict.reason)
  return addEvent(engine, write, roomEvent, { depth, auth })
}

function buildDraft(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
  depth: number,
  authEvents: readonly RoomEvent[],
): BuiltEvent {
  const { rules, roomId } = write.head
  const full: MatrixDraft = {
    ...draft,
    ...embeddedId(engine, rules),
    roomId,
    originServerTs: draft.originServerTs ?? engine.clock.now(),
    depth: Math.min(depth, Number.MAX_SAFE_INTEGER),
    prevEventIds: write.extremities.map((extremity) => extremity.eventId),
    authEventIds: authEvents.map((event) => event.eventId),
  }
  if (!rules.referencePairs) return buildEvent(rules, full, { sha256 })
  const referenceHashes = new Map<EventId, string>([
    ...write.extremities.map(({ eventId, hash }) => [eventId, hash ?? ''] as const),
    ...authEvents.map((event) => [event.eventId, referenceHash(rules, event.pdu, sha256)] as const),
  ])
  return buildEvent(rules, { ...full, referenceHashes }, { sha256 })
}

/** Adds an authorised event: state first, since the event's row names the state after it. */
async function addEvent(
  engine: RoomEngine,
  write: RoomWrite,
  roomEvent: BuiltEvent,
  { depth, auth }: { depth: number; auth: readonly number[] },
): Promise<NewEvent> {
  const stateBefore = write.stateRoot
  const isState = roomEvent.pdu.state_key !== undefined
  const stateNid = isState ? write.next.event : 0
  const replaced = isState
    ? await stateOf(engine, write, roomEvent.pdu.type, roomEvent.pdu.state_key!)
    : undefined
  if (isState) await setState(write, roomEvent, stateNid)
  const stored = toStoredEvent(write.head, roomEvent, {
    nid: 0,
    depth,
    stateRoot: write.stateRoot,
    roomRoot: write.stateRoot,
    stateBefore,
    stateNid,
    flags: timelineFlags(roomEvent.pdu),
  })
  if (isState) holdState(write, { roomEvent: lasting(roomEvent), stored })
  const hash = write.head.rules.referencePairs
    ? { hash: referenceHash(write.head.rules, roomEvent.pdu, sha256) }
    : {}
  write.extremities = [{ eventId: roomEvent.eventId, depth, root: write.stateRoot, ...hash }]
  const { head: start, tail, signed } = roomEvent
  const json = { head: start, tail, signed }
  const event: NewEvent = { roomEvent, json, stored, auth, replaced, place: 'log' }
  write.events.push(event)
  write.head.pending.set(stored.eventId, stored)
  return event
}

/** Makes a state event of this write what the next events are authorised against. */
export function holdState(write: RoomWrite, entry: StateEntry): void {
  write.state.set(packStateKey(entry.stored.type, entry.stored.stateKey!), entry)
  write.head.entries.set(entry.stored.stateNid, entry)
}

async function setState(write: RoomWrite, roomEvent: RoomEvent, stateNid: number): Promise<void> {
  const keyNid = await internKey(write, roomEvent.pdu.type, roomEvent.pdu.state_key!)
  write.next = { ...write.next, event: stateNid + 1 }
  write.stateRoot = await changeRoot(write, write.stateRoot, [[keyNid, stateNid]])
}

/** A state with changes applied: a new root, whose new nodes are part of the write. */
export async function changeRoot(
  write: RoomWrite,
  root: number,
  changes: readonly StateChange[],
): Promise<number> {
  let nextNode = write.next.node
  const { nodes, roomNid } = write.head
  const changed = await applyChanges(nodes, roomNid, root, changes, () => nextNode++)
  nodes.add(changed.newNodes)
  write.newNodes.push(...changed.newNodes)
  write.next = { ...write.next, node: nextNode }
  return changed.root
}

/** What an event of this write will be numbered with: known only at commit. */
export function numberOf({ events }: RoomWrite, event: NewEvent): WriteValue {
  const at = events.findIndex(({ stored }) => stored.eventId === event.stored.eventId)
  const before = events.slice(0, at).filter(({ place }) => place === events[at]!.place).length
  return events[at]!.place === 'log' ? { position: before } : { historical: before }
}

/** The number of a state key, a new one where the room never had it. */
export async function internKey(write: RoomWrite, type: string, stateKey: string): Promise<number> {
  let nextKey = write.next.key
  const { keys, roomNid } = write.head
  const { keyNids, newKeys } = await internKeys(keys, roomNid, [{ type, stateKey }], () => nextKey++)
  keys.add(newKeys)
  write.newKeys.push(...newKeys)
  write.next = { ...write.next, key: nextKey }
  return keyNids[0]!
}

/** Without the texts that are needed only until the event is stored. */
export function lasting({ eventId, roomId, pdu, prevEventIds, authEventIds }: RoomEvent): RoomEvent {
  return { eventId, roomId, pdu, prevEventIds, authEventIds }
}
