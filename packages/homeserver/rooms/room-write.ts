import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { NewNode, StateChange } from '@causeway/store/state/apply.ts'
import type { Step, UnsignedPdu, WriteValue } from '@causeway/store/db/database.ts'
import type { MemberChange, StoredEvent } from '@causeway/store/log/entry.ts'
import type { RedactedEvent } from './redact-stored.ts'
import type { RoomEngine, StateReset } from './engine.ts'
import type { MadeEvent, PreparedEvent } from './policy/own-events.ts'
import type { StateEntry } from './state-entry.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { internKeys, type NewKey } from '@causeway/store/state/keys.ts'
import { applyChanges } from '@causeway/store/state/tree.ts'
import { readCurrentState } from './current-state.ts'
import type { Extremity, RoomHead, StateNumbers } from './head.ts'

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
  /** For how many milliseconds it is to be delivered reliably (MSC4354). */
  readonly stickyMs?: number
  /** Whether it was scheduled, and is sent now. */
  readonly isDelayed?: boolean
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
  /** Events of ours in this write, as they were built. */
  readonly made: MadeEvent[]
  /** What an earlier attempt at this write built, signed by the room's policy server since. */
  readonly prepared: readonly PreparedEvent[]
  /** Whether servers that the room's states name as policy servers are in the room: asked once for all events. */
  readonly policyServers: Map<ServerName, boolean>
  /** Older events that this write redacts, in their new form. */
  readonly redacted: RedactedEvent[]
  readonly newNodes: NewNode[]
  readonly steps: Step[]
  /** Resolutions that this write made; others may use them once their nodes are stored. */
  readonly resolved: Map<string, number>
  /** Those of them that gave what no branch had. */
  readonly resets: StateReset[]
  /**
   * What the write makes of the room's members, when its events do not tell that themselves (see
   * `EventEntry.memberChanges`); undefined as long as they do.
   */
  memberChanges: readonly MemberChange[] | undefined
}

/** Starts a write at the room's head. Only inside the room's queue. */
export function beginWrite(head: RoomHead, prepared: readonly PreparedEvent[] = []): RoomWrite {
  return {
    head,
    extremities: head.extremities,
    stateRoot: head.stateRoot,
    next: head.next,
    state: new Map(),
    newKeys: [],
    events: [],
    made: [],
    prepared,
    policyServers: new Map(),
    redacted: [],
    newNodes: [],
    steps: [],
    resolved: new Map(),
    resets: [],
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

/** Makes a state event of this write what the next events are authorised against. */
export function holdState(write: RoomWrite, entry: StateEntry): void {
  write.state.set(packStateKey(entry.stored.type, entry.stored.stateKey!), entry)
  write.head.entries.set(entry.stored.stateNid, entry)
}

/** The same state event in its final form, wherever it was put before that was known. */
export function replaceState(write: RoomWrite, entry: StateEntry): void {
  const { stateNid, type, stateKey, eventId } = entry.stored
  write.head.entries.set(stateNid, entry)
  const key = packStateKey(type, stateKey!)
  if (write.state.get(key)?.stored.eventId === eventId) write.state.set(key, entry)
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

/**
 * Takes back what a write has put into the head, of which nothing will be stored: its build threw, or had nothing to
 * write. Numbers that it took for names and nodes are handed out again, and must not be found under the old ones.
 */
export function abandonWrite({ head, events, newKeys, newNodes }: RoomWrite): void {
  head.keys.retract(newKeys)
  head.nodes.retract(newNodes)
  for (const { stored } of events) {
    head.pending.delete(stored.eventId)
    if (stored.stateNid !== 0) head.entries.delete(stored.stateNid)
  }
}
