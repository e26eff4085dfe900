import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { noteRejection } from '@causeway/store/tables/events.ts'
import { POLICY_WAITS } from '@causeway/store/tables/policy-waits.ts'
import { noteBackwardExtremity } from '@causeway/store/tables/backward-extremities.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { readerOf, readStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { timelineFlags } from '../flags.ts'
import {
  changeRoot,
  holdState,
  internKey,
  lasting,
  numberOf,
  replaceState,
  type NewEvent,
  type RoomWrite,
} from '../room-write.ts'
import { policyServerAt } from '../policy/find-policy.ts'
import { policyFault } from '../policy/others-events.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import type { StateEntry } from '../state-entry.ts'
import { toStoredEvent } from '../stored-event.ts'
import { authIdsOf, authorizeAt, authorizeByOwnAuthEvents, type AuthEvents } from './auth-lookup.ts'
import { advanceRoomState } from '../state/advance-room-state.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** What is known of the events that a PDU points at. */
export interface Parents {
  readonly held: readonly StoredEvent[]
  /** Those that could not be had, each with a root of the state after it as others told it. */
  readonly missing: ReadonlyMap<EventId, number>
  /** The event itself, where it was held without being part of the graph. */
  readonly outlier?: StoredEvent | undefined
  /**
   * Events that are part of the room descend from it: it closes a gap, or lies behind one that does. It is no newest event
   * of anything.
   */
  readonly isAncestor?: boolean
  /**
   * It was refused when it came, and others may have gone on from it or not: the room ends where it ended, in what it
   * points at too.
   */
  readonly isLate?: boolean
}

/** Which check on receipt an event failed: its own auth events, the state before it, the current state, the policy. */
export type RefusingCheck = 'auth_events' | 'state_before' | 'current_state' | 'policy_server'

/** What the checks say of an event. */
export type Judgement =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'rejected' | 'soft-failed'; readonly check: RefusingCheck; readonly reason: string }

/** What became of a PDU. `soft-failed`: kept and not shown. Both refusals say why. */
export type Acceptance =
  | { readonly outcome: 'accepted'; readonly event: NewEvent }
  | { readonly outcome: 'rejected' | 'soft-failed'; readonly check: RefusingCheck; readonly reason: string }

export interface AddOptions {
  /** Further bits of `EventFlag`, should it be accepted. */
  readonly flags?: number
  /** False: nothing is made of what is refused. */
  readonly keepsRefused?: boolean
}

/**
 * Checks 4 to 6 on receipt, and the event's place in the room: state before and after it, forward extremities, the
 * room's current state. Only inside the room's queue; needs every auth event that can be had. What is
 * refused is kept with its reason, unless the options say otherwise.
 * https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export async function addReceivedEvent(
  engine: RoomEngine,
  write: RoomWrite,
  pdu: VerifiedPdu,
  parents: Parents,
  authEvents: AuthEvents,
  { flags = 0, keepsRefused = true }: AddOptions = {},
): Promise<Acceptance> {
  const stateBefore = await stateBeforeOf(engine, write, parents)
  const judgement = await judge(engine, write, pdu, { stateBefore, parents, authEvents })
  const place = { stateBefore, parents, authEvents, flags, keepsRefused }
  if (judgement.outcome !== 'accepted') return refuse(engine, write, pdu, place, judgement)
  return { outcome: 'accepted', event: await accept(engine, write, pdu, place) }
}

/** The state before an event, by what is known of its parents. */
export function stateBeforeOf(
  engine: RoomEngine,
  write: RoomWrite,
  { held, missing }: Pick<Parents, 'held' | 'missing'>,
): Promise<number> {
  return resolveRoots(engine, write, [...held.map((parent) => parent.stateRoot), ...missing.values()])
}

/** Checks 4 to 6, and the room's policy server, which has its say like the current state: nothing is written. */
export async function judge(
  engine: RoomEngine,
  write: RoomWrite,
  pdu: VerifiedPdu,
  { stateBefore, parents, authEvents }: Pick<Place, 'stateBefore' | 'parents' | 'authEvents'>,
): Promise<Judgement> {
  const { event } = pdu
  // 4. and 5.
  const byOwn = authorizeByOwnAuthEvents(write.head.rules, event, authEvents)
  if (!byOwn.ok) return { outcome: 'rejected', check: 'auth_events', reason: byOwn.reason }
  const before = await authorizeAt(engine, write, stateBefore, event, authEvents)
  if (!before.ok) return { outcome: 'rejected', check: 'state_before', reason: before.reason }
  if (isAcceptedAlready(parents)) return { outcome: 'accepted' }
  // 6.
  const current = await currentRoot(engine, write, parents, stateBefore)
  const now = stateBefore === current ? before : await authorizeAt(engine, write, current, event, authEvents)
  if (!now.ok) return { outcome: 'soft-failed', check: 'current_state', reason: now.reason }
  const fault = await policyFault(engine, write, stateBefore, pdu)
  return fault === undefined
    ? { outcome: 'accepted' }
    : { outcome: 'soft-failed', check: 'policy_server', reason: fault }
}

/**
 * An ancestor of ours that we hold for the state it set: the room's state was built on it, and what rules have become since
 * has no say. Any other ancestor is judged like a new event, or who is banned by now could show what they kept back.
 */
function isAcceptedAlready({ isAncestor, outlier }: Parents): boolean {
  return isAncestor === true && outlier?.stateKey !== undefined && (outlier.flags & EventFlag.rejected) === 0
}

/**
 * What counts as the current state for an event. After a gap we may have been away and know less than others do, and
 * yet a gap is easily made up: so the state at the event has its say beside ours.
 */
async function currentRoot(
  engine: RoomEngine,
  write: RoomWrite,
  { missing }: Parents,
  stateBefore: number,
): Promise<number> {
  if (missing.size === 0) return write.stateRoot
  return resolveRoots(engine, write, [...write.extremities.map(({ root }) => root), stateBefore])
}

interface Place {
  readonly flags: number
  readonly keepsRefused: boolean
  readonly stateBefore: number
  readonly parents: Parents
  readonly authEvents: AuthEvents
}

/** Kept, since others point at it; not shown to anybody, no forward extremity, no part of the current state. */
async function refuse(
  engine: RoomEngine,
  write: RoomWrite,
  pdu: VerifiedPdu,
  place: Place,
  judgement: Exclude<Judgement, { outcome: 'accepted' }>,
): Promise<Acceptance> {
  const { outcome, reason } = judgement
  if (!place.keepsRefused) return judgement
  const flag = outcome === 'rejected' ? EventFlag.rejected : EventFlag.softFailed
  const event = await buildNewEvent(engine, write, pdu, place, {
    flag,
    changesState: outcome === 'soft-failed',
  })
  write.events.push({ ...event, place: 'history' })
  write.head.pending.set(event.stored.eventId, event.stored)
  if (event.stored.stateNid !== 0) write.head.entries.set(event.stored.stateNid, entryOf(event))
  write.steps.push(noteRejection(write.head.roomNid, numberOf(write, event), reason))
  if (judgement.check === 'policy_server' && pdu.isRefusedByPolicy !== true) {
    await waitForPolicy(engine, write, pdu, place.stateBefore)
  }
  return judgement
}

/** Whoever could not be asked now is asked again: see `policy/ask-again.ts`. */
async function waitForPolicy(
  engine: RoomEngine,
  write: RoomWrite,
  { event }: VerifiedPdu,
  stateBefore: number,
): Promise<void> {
  const { roomNid, roomId } = write.head
  write.steps.push({ into: POLICY_WAITS, values: [roomNid, event.eventId, engine.clock.now()] })
  const server = await policyServerAt(engine, write, stateBefore)
  if (server !== undefined) engine.onUnasked?.(roomId, server.name)
}

async function accept(
  engine: RoomEngine,
  write: RoomWrite,
  pdu: VerifiedPdu,
  place: Place,
): Promise<NewEvent> {
  const branched = place.stateBefore !== write.stateRoot
  const gap = place.parents.missing.size > 0
  const flag = (branched ? EventFlag.branched : 0) | (gap ? EventFlag.gapBefore : 0) | place.flags
  const event = await buildNewEvent(engine, write, pdu, place, { flag, changesState: true })
  const { stored } = event
  if (stored.stateNid !== 0) write.head.entries.set(stored.stateNid, entryOf(event))
  const prevIds = new Set(pdu.event.prevEventIds)
  const others = write.extremities.filter(({ eventId }) => !prevIds.has(eventId))
  const hash = write.head.rules.referencePairs
    ? { hash: referenceHash(write.head.rules, pdu.event.pdu, sha256) }
    : {}
  const own = { eventId: stored.eventId, depth: stored.depth, root: stored.stateRoot, ...hash }
  const { isAncestor = false, isLate = false } = place.parents
  if (!isLate) write.extremities = isAncestor ? others : [...others, own]
  if (!isLate && !isAncestor && !branched && others.length === 0) {
    write.stateRoot = stored.stateRoot
    if (stored.stateNid !== 0) holdState(write, entryOf(event))
  } else {
    const root = await resolveRoots(
      engine,
      write,
      write.extremities.map((extremity) => extremity.root),
    )
    await advanceRoomState(engine, write, root)
  }
  const told: NewEvent = { ...event, stored: { ...stored, roomRoot: write.stateRoot } }
  if (told.stored.stateNid !== 0) replaceState(write, entryOf(told))
  write.events.push(told)
  write.head.pending.set(stored.eventId, told.stored)
  for (const eventId of place.parents.missing.keys()) {
    const child = { nid: numberOf(write, told), depth: stored.depth }
    write.steps.push(noteBackwardExtremity(write.head.roomNid, eventId, child))
  }
  return told
}

function entryOf(event: NewEvent): StateEntry {
  return { roomEvent: lasting(event.roomEvent), stored: event.stored }
}

/** Numbers the event, works out the state after it, and everything that its row holds. */
async function buildNewEvent(
  engine: RoomEngine,
  write: RoomWrite,
  { event, json, isRedacted }: VerifiedPdu,
  { stateBefore, parents, authEvents }: Place,
  { flag, changesState }: { flag: number; changesState: boolean },
): Promise<NewEvent> {
  const { head } = write
  const { type, state_key: stateKey } = event.pdu
  let stateNid = 0
  let stateRoot = stateBefore
  let replaced: StateEntry | undefined
  if (stateKey !== undefined) {
    stateNid = parents.outlier?.stateNid ?? write.next.event
    if (parents.outlier === undefined) write.next = { ...write.next, event: stateNid + 1 }
    replaced = await readStateAt(readerOf(engine, head), head, stateBefore, type, stateKey)
    const keyNid = await internKey(write, type, stateKey)
    if (changesState) stateRoot = await changeRoot(write, stateBefore, [[keyNid, stateNid]])
  }
  const stored = toStoredEvent(head, event, {
    nid: 0,
    depth: depthOf(event.pdu.depth, parents, write),
    stateRoot,
    roomRoot: stateRoot,
    stateBefore,
    stateNid,
    flags: (isRedacted === true ? EventFlag.redacted : timelineFlags(event.pdu)) | flag,
  })
  const auth = authIdsOf(head.rules, event).flatMap((id) => authEvents.get(id)?.stored.stateNid ?? [])
  return { roomEvent: event, json, stored, auth, replaced, place: 'log', outlier: parents.outlier }
}

/** How much deeper than anything we know an event after a gap may claim to be. */
const MAX_LEAP = 100_000

/** Ours: one more than the deepest parent; only where parents are missing the sender's word, within reason. */
function depthOf(claimed: number, { held, missing }: Parents, write: RoomWrite): number {
  const above = 1 + Math.max(0, ...held.map(({ depth }) => depth))
  if (missing.size === 0) return above
  const known = Math.max(above, ...write.extremities.map(({ depth }) => depth))
  return Math.max(above, Math.min(claimed, known + MAX_LEAP))
}
