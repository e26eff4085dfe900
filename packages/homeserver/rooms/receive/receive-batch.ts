import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { findRedactions } from '@causeway/store/tables/events.ts'
import {
  closeBackwardExtremity,
  findBackwardExtremities,
} from '@causeway/store/tables/backward-extremities.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { addReceivedRedaction, redactOnArrival } from '../apply-redaction.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { attemptWrite, persistEvents, type PendingWrite } from '../persist.ts'
import { findHeldEvents } from '../held-events.ts'
import { redactedBy } from '../redaction.ts'
import { abandonWrite, beginWrite, type RoomWrite } from '../room-write.ts'
import { throwIfCompanion } from '../write-to-room.ts'
import { addReceivedEvent, judge, stateBeforeOf, type Parents, type RefusingCheck } from './add-event.ts'
import { authIdsOf, findAuthEvents, type AuthEvents } from './auth-lookup.ts'
import type { ReceiveFigures } from './figures.ts'
import { parentsFirst } from './parents-first.ts'
import { rootOfEvents } from '../state/root-of-events.ts'
import { tellMemberChanges } from '../state/advance-room-state.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** What became of a received event. */
export type Received =
  | { readonly outcome: 'known' | 'accepted' }
  | {
      readonly outcome: 'rejected' | 'soft-failed'
      readonly check: RefusingCheck
      readonly reason: string
    }
  /** Events that it refers to are not held: they have to be fetched first. */
  | { readonly outcome: 'waiting'; readonly prevs: readonly EventId[]; readonly auths: readonly EventId[] }

/** Those of some events that have become part of the room now. */
export function acceptedOf(
  pdus: readonly VerifiedPdu[],
  placed: ReadonlyMap<EventId, Received>,
): readonly VerifiedPdu[] {
  return pdus.filter(({ event }) => placed.get(event.eventId)?.outcome === 'accepted')
}

export type Waiting = Received & { readonly outcome: 'waiting' }

export function isWaiting(received: Received): received is Waiting {
  return received.outcome === 'waiting'
}

/** Counts what became of an event; one that waits is counted when it is kept. */
export function countReceived(figures: ReceiveFigures, received: Received): void {
  const { outcome } = received
  if (received.outcome === 'rejected' || received.outcome === 'soft-failed') figures.refused[received.check]++
  if (outcome === 'soft-failed') figures.softFailed++
  else if (outcome !== 'waiting') figures[outcome]++
}

export interface BatchOptions {
  /** For events that cannot be had the state after them, as others told it: ids of events that are held. */
  readonly gapStates?: ReadonlyMap<EventId, readonly EventId[]>
  /** Goes into the same commit for each event that is dealt with. */
  readonly done?: (eventId: EventId) => readonly Step[]
  /** Events that these came with; they tell which of these are no news. */
  readonly among?: readonly VerifiedPdu[]
  /** Soft-failed events are judged once more, and stay as they are unless this can be answered with yes. */
  readonly anew?: (write: RoomWrite, pdu: VerifiedPdu, stateBefore: number) => Promise<boolean>
}

/** How often a batch is built anew when another write, refused before it, took its head along. */
const ATTEMPTS = 5

/**
 * Takes verified events of one room in, parents first, in as few commits as can be, and resolves once they are
 * durable. What cannot be placed yet is `waiting`; an event is never held up by another that is.
 * Throws `M_NOT_FOUND` for a room that we do not know.
 */
export async function receiveBatch(
  engine: RoomEngine,
  roomId: RoomId,
  pdus: readonly VerifiedPdu[],
  options: BatchOptions = {},
): Promise<Map<EventId, Received>> {
  const results = new Map<EventId, Received>()
  let rest: readonly VerifiedPdu[] = parentsFirst(pdus)
  for (let attempt = 0; rest.length > 0 && attempt < ATTEMPTS;) {
    const part = await attemptWrite(engine, roomId, attempt, () => buildPart(engine, roomId, rest, options))
    const committed = part.pending === undefined ? undefined : await part.pending.settled
    if (committed?.ok === false) {
      throwIfCompanion(committed, part.pending!)
      attempt++
      continue
    }
    for (const [eventId, received] of part.results) results.set(eventId, received)
    rest = rest.slice(part.taken)
    // A redaction or its target is on its way to the disk, by another write: the next attempt waits for that.
    if (part.taken === 0) attempt++
  }
  if (rest.length > 0) throw new MatrixError('M_UNKNOWN', 'The room is too busy; try again')
  return results
}

interface Part {
  readonly pending: PendingWrite | undefined
  readonly results: Map<EventId, Received>
  /** How many of the events were dealt with: a redaction waits for its target's commit. */
  readonly taken: number
}

async function buildPart(
  engine: RoomEngine,
  roomId: RoomId,
  pdus: readonly VerifiedPdu[],
  options: BatchOptions,
): Promise<Part> {
  const head = await findHead(engine, roomId)
  if (head === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const write = beginWrite(head)
  try {
    return await buildWrite(engine, write, pdus, options)
  } catch (error) {
    abandonWrite(write)
    throw error
  }
}

async function buildWrite(
  engine: RoomEngine,
  write: RoomWrite,
  pdus: readonly VerifiedPdu[],
  options: BatchOptions,
): Promise<Part> {
  const { roomNid } = write.head
  const before = new Set(write.head.pending.keys())
  const batch = await prepareBatch(engine, write, pdus, options.among)
  const results = new Map<EventId, Received>()
  const steps: Step[] = []
  let taken = 0
  for (const pdu of pdus) {
    const target = redactedBy(write.head.rules, pdu.event)
    if (mustWaitForCommit(write, batch, pdu.event.eventId, target)) break
    const { eventId } = pdu.event
    const received = await receiveOne(engine, write, batch, pdu, options)
    results.set(eventId, received)
    if (target !== undefined && received.outcome === 'accepted') batch.redacting.add(target)
    if (received.outcome !== 'waiting') steps.push(...(options.done?.(eventId) ?? []))
    if (received.outcome !== 'waiting' && batch.gaps.has(eventId)) {
      steps.push(closeBackwardExtremity(roomNid, eventId))
    }
    taken++
  }
  await tellMemberChanges(engine, write)
  // An event that another write is just storing is not durable yet. A write after that one fails with it.
  const isOnItsWay = pdus.slice(0, taken).some(({ event }) => before.has(event.eventId))
  const isNothing = write.events.length === 0 && steps.length === 0 && !isOnItsWay
  if (isNothing) abandonWrite(write)
  return { pending: isNothing ? undefined : persistEvents(engine, write, { steps }), results, taken }
}

/**
 * A redaction and its target find each other by their rows: whichever comes second waits while the first is just being
 * stored, by this write or by another.
 */
function mustWaitForCommit(
  { head }: RoomWrite,
  { redacting }: Batch,
  eventId: EventId,
  target: EventId | undefined,
): boolean {
  return (target !== undefined && head.pending.has(target)) || redacting.has(eventId)
}

/** What redactions remove that other writes are just storing. */
function targetsOf(pending: Iterable<StoredEvent>): Set<EventId> {
  const targets = new Set<EventId>()
  for (const { type, clientJson } of pending) {
    if (type !== 'm.room.redaction') continue
    const { redacts } = JSON.parse(clientJson) as { redacts?: EventId }
    if (redacts !== undefined) targets.add(redacts)
  }
  return targets
}

/** What is looked up for all events of a batch at once. */
interface Batch {
  /** Events of the batch and their parents, as far as they are held; those of the room that are just being stored. */
  readonly held: Map<EventId, StoredEvent>
  /** Events of the batch that close a gap. */
  readonly gaps: ReadonlySet<string>
  /** Events of the batch from which events that are part of the room descend. */
  readonly ancestors: ReadonlySet<EventId>
  /** Numbers of redactions that came before their targets. */
  readonly redactions: ReadonlyMap<string, number>
  /** Targets of redactions that are not durable yet. */
  readonly redacting: Set<EventId>
}

async function prepareBatch(
  engine: RoomEngine,
  { head }: RoomWrite,
  pdus: readonly VerifiedPdu[],
  among: readonly VerifiedPdu[] = pdus,
): Promise<Batch> {
  const ids = pdus.map(({ event }) => event.eventId)
  const named = new Set([...ids, ...pdus.flatMap(({ event }) => event.prevEventIds)])
  const redacting = targetsOf(head.pending.values())
  const [held, gaps, redactions] = await Promise.all([
    findHeldEvents(engine, head, [...named]),
    findBackwardExtremities(
      engine.db,
      head.roomNid,
      among.map(({ event }) => event.eventId),
    ),
    findRedactions(engine.db, ids),
  ])
  return {
    held,
    gaps: new Set(gaps.keys()),
    ancestors: ancestorsOf(gaps.keys(), among),
    redactions,
    redacting,
  }
}

/** Of these events those that some of them, which close gaps, descend from, and those themselves. */
function ancestorsOf(gaps: Iterable<string>, pdus: readonly VerifiedPdu[]): Set<EventId> {
  const byId = new Map(pdus.map(({ event }) => [event.eventId, event]))
  const ancestors = new Set<EventId>()
  const stack = [...gaps] as EventId[]
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const event = ancestors.has(id) ? undefined : byId.get(id)
    if (event === undefined) continue
    ancestors.add(id)
    stack.push(...event.prevEventIds)
  }
  return ancestors
}

async function receiveOne(
  engine: RoomEngine,
  write: RoomWrite,
  batch: Batch,
  pdu: VerifiedPdu,
  options: BatchOptions,
): Promise<Received> {
  const { event } = pdu
  const known = findHeld(write, batch, event.eventId)
  const isAnew =
    options.anew !== undefined && known !== undefined && (known.flags & EventFlag.softFailed) !== 0
  if (known !== undefined && isInGraph(known) && !isAnew) return { outcome: 'known' }
  const parents = await parentsOf(engine, write, batch, pdu, options)
  const authEvents = await findAuthEvents(engine, write, [event])
  const prevs = event.prevEventIds.filter((id) => !parents.known.has(id))
  const auths = authIdsOf(write.head.rules, event).filter((id) => !authEvents.has(id))
  if (prevs.length > 0 || auths.length > 0) return { outcome: 'waiting', prevs, auths }
  if (isAnew && !(await isAllowedNow(engine, write, pdu, { parents, authEvents, anew: options.anew! }))) {
    return { outcome: 'known' }
  }
  const redaction = batch.redactions.get(event.eventId)
  const arrived = redaction === undefined ? pdu : await redactOnArrival(engine, write, pdu, redaction)
  const acceptance = await addReceivedEvent(
    engine,
    write,
    arrived,
    // What was refused before is no newest event, unless the room's state depends on it.
    {
      ...parents,
      outlier: known,
      isAncestor: batch.ancestors.has(event.eventId),
      isLate: isAnew && event.pdu.state_key === undefined,
    },
    authEvents,
  )
  if (acceptance.outcome !== 'accepted') {
    const { outcome, check, reason } = acceptance
    return { outcome, check, reason }
  }
  if (event.pdu.type === 'm.room.redaction') await addReceivedRedaction(engine, write, acceptance.event)
  return { outcome: 'accepted' }
}

async function isAllowedNow(
  engine: RoomEngine,
  write: RoomWrite,
  pdu: VerifiedPdu,
  of: { parents: Parents; authEvents: AuthEvents; anew: NonNullable<BatchOptions['anew']> },
): Promise<boolean> {
  const { parents, authEvents } = of
  const stateBefore = await stateBeforeOf(engine, write, parents)
  if (!(await of.anew(write, pdu, stateBefore))) return false
  return (await judge(engine, write, pdu, { stateBefore, parents, authEvents })).outcome === 'accepted'
}

function isInGraph({ flags }: StoredEvent): boolean {
  return (flags & EventFlag.outlier) === 0
}

function findHeld({ head }: RoomWrite, { held }: Batch, eventId: EventId): StoredEvent | undefined {
  return head.pending.get(eventId) ?? held.get(eventId)
}

async function parentsOf(
  engine: RoomEngine,
  write: RoomWrite,
  batch: Batch,
  { event }: VerifiedPdu,
  { gapStates }: BatchOptions,
): Promise<Parents & { readonly known: ReadonlySet<EventId> }> {
  const held: StoredEvent[] = []
  const missing = new Map<EventId, number>()
  const known = new Set<EventId>()
  for (const id of event.prevEventIds) {
    const parent = findHeld(write, batch, id)
    const state = gapStates?.get(id)
    if (parent !== undefined && isInGraph(parent)) held.push(parent)
    else if (state !== undefined) missing.set(id, await rootOfEvents(engine, write, state))
    else continue
    known.add(id)
  }
  return { held, missing, known }
}
