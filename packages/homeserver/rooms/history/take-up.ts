import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { Verdict } from '@causeway/matrix/event-auth/auth-state.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import {
  closeBackwardExtremity,
  findBackwardExtremities,
  noteBackwardExtremity,
  type BackwardExtremityRow,
} from '@causeway/store/tables/backward-extremities.ts'
import { findRedactions, noteRejection } from '@causeway/store/tables/events.ts'
import { addReceivedRedaction } from '../apply-redaction.ts'
import type { RoomEngine } from '../engine.ts'
import { timelineFlags } from '../flags.ts'
import { findHeldEvents } from '../held-events.ts'
import { authIdsOf, authorizeAt, authorizeByOwnAuthEvents, findAuthEvents } from '../receive/auth-lookup.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { changeRoot, internKey, lasting, type NewEvent, type RoomWrite } from '../room-write.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import { rootOfEvents } from '../state/root-of-events.ts'
import { redactedBy } from '../redaction.ts'
import { toStoredEvent } from '../stored-event.ts'
import { findBeyondCut } from './beyond-cut.ts'
import type { FetchedBatch } from './fetch-batch.ts'
import { placeBatch, type GraphDepth } from './place-batch.ts'
import { redactOnTakeUp } from './redact-on-take-up.ts'

/** An event that became part of the graph. */
export interface TakenUp {
  readonly stored: StoredEvent
  /** Its number while it was held without state. */
  readonly formerNid: number | undefined
}

/** A batch of history on its way into a room's graph. */
interface TakeUp {
  readonly engine: RoomEngine
  readonly write: RoomWrite
  readonly stateBefore: FetchedBatch['stateBefore']
  /** The batch's events and their parents, as far as they are held. */
  readonly held: ReadonlyMap<EventId, StoredEvent>
  /** State after each event of the batch, as far as it was worked out. */
  readonly roots: Map<EventId, number>
  /** The room's gaps that the batch fills. */
  readonly gaps: ReadonlyMap<string, BackwardExtremityRow>
  /** Events from which on the room's history stays cut off: of them only state is taken. */
  readonly beyond: ReadonlySet<EventId>
}

/** What became of a batch. */
export interface TakenBatch {
  /** What was taken, the newest first. */
  readonly taken: readonly TakenUp[]
  /** Closes gaps of which nothing is to come: part of the write, where that has events. */
  readonly closing: readonly Step[]
}

/**
 * Puts a fetched batch into the graph: each event with its state and place, authorised by its own auth events and by
 * the state before it, the newest with the greatest number of the decreasing sequence; gaps move to where the batch
 * ends. Messages from where the room's history was cut off do not come back. Its auth and state events are held by then.
 * Only inside the room's queue; uses no network.
 */
export async function takeUpBatch(
  engine: RoomEngine,
  write: RoomWrite,
  { pdus, stateBefore }: FetchedBatch,
): Promise<TakenBatch> {
  const ids = pdus.map(({ event }) => event.eventId)
  const named = [...new Set([...ids, ...pdus.flatMap(({ event }) => event.prevEventIds)])]
  const [held, gaps, redactions] = await Promise.all([
    findHeldEvents(engine, write.head, named),
    findBackwardExtremities(engine.db, write.head.roomNid, ids),
    findRedactions(engine.db, ids),
  ])
  const fresh = pdus.filter(({ event }) => !isPlaced(held.get(event.eventId)))
  if (fresh.length === 0) return { taken: [], closing: [] }
  const places = await placeBatch(engine, write, gaps, fresh)
  const { events: beyond, expired } = await findBeyondCut(engine, write.head, fresh, places)
  const takeUp: TakeUp = { engine, write, stateBefore, held, gaps, beyond, roots: new Map() }
  const stored = await redactOnTakeUp(engine, write, fresh, redactions, expired)
  const made = new Map<EventId, Made>()
  try {
    for (const pdu of stored.toReversed()) {
      if (await isLeftOut(takeUp, pdu, places)) continue
      made.set(pdu.event.eventId, await makeEvent(takeUp, pdu, places.get(pdu.event.eventId)!))
    }
    const taken = await addToWrite(takeUp, fresh, made)
    const closing = closeGaps(takeUp)
    write.steps.push(...closing)
    return { taken, closing }
  } catch (error) {
    forget(write, made)
    throw error
  }
}

/** What is not among the write's events yet is not taken back with them. */
function forget({ head }: RoomWrite, made: ReadonlyMap<EventId, Made>): void {
  for (const { event } of made.values()) {
    head.pending.delete(event.stored.eventId)
    head.entries.delete(event.stored.stateNid)
  }
}

function isInGraph({ held }: TakeUp, eventId: EventId): boolean {
  return isPlaced(held.get(eventId))
}

function isPlaced(event: StoredEvent | undefined): boolean {
  return event !== undefined && (event.flags & EventFlag.outlier) === 0
}

/** Messages from where history was cut off do not come back; the state after one is that before it. */
async function isLeftOut(
  takeUp: TakeUp,
  { event }: VerifiedPdu,
  places: ReadonlyMap<EventId, GraphDepth>,
): Promise<boolean> {
  if (!takeUp.beyond.has(event.eventId) || event.pdu.state_key !== undefined) return false
  takeUp.roots.set(event.eventId, await rootBefore(takeUp, event, places.get(event.eventId)!.inherited))
  return true
}

/** The gaps of which all was left out. */
function closeGaps({ write, gaps, beyond }: TakeUp): Step[] {
  const cut = [...gaps.keys()].filter((eventId) => beyond.has(eventId as EventId))
  return cut.map((eventId) => closeBackwardExtremity(write.head.roomNid, eventId))
}

/** The state before an event: what its parents leave; as it was told, or inherited from its child, where we lack them. */
async function rootBefore(takeUp: TakeUp, event: RoomEvent, inherited: number): Promise<number> {
  const { engine, write, roots, held, stateBefore } = takeUp
  const told = stateBefore.get(event.eventId)
  if (told !== undefined) return rootOfEvents(engine, write, told)
  const ofParents: number[] = []
  for (const parent of event.prevEventIds) {
    const root = roots.get(parent) ?? (isInGraph(takeUp, parent) ? held.get(parent)!.stateRoot : undefined)
    if (root === undefined) return inherited
    ofParents.push(root)
  }
  return resolveRoots(engine, write, ofParents)
}

interface Made {
  readonly event: NewEvent
  readonly verdict: Verdict
}

async function makeEvent(takeUp: TakeUp, pdu: VerifiedPdu, place: GraphDepth): Promise<Made> {
  const { engine, write, held, roots } = takeUp
  const { head } = write
  const { event, json, isRedacted } = pdu
  const before = await rootBefore(takeUp, event, place.inherited)
  const authEvents = await findAuthEvents(engine, write, [event])
  const byOwn = authorizeByOwnAuthEvents(head.rules, event, authEvents)
  const verdict = byOwn.ok ? await authorizeAt(engine, write, before, event, authEvents) : byOwn
  const outlier = held.get(event.eventId)
  const isState = event.pdu.state_key !== undefined
  const stateNid = isState ? (outlier?.stateNid ?? takeStateNumber(write)) : 0
  const stateRoot = isState && verdict.ok ? await rootAfter(write, before, event, stateNid) : before
  roots.set(event.eventId, stateRoot)
  const flags = isRedacted === true ? EventFlag.redacted : timelineFlags(event.pdu)
  const stored = toStoredEvent(head, event, {
    nid: 0,
    depth: place.depth,
    stateRoot,
    roomRoot: stateRoot,
    stateBefore: before,
    stateNid,
    flags: flags | (verdict.ok ? 0 : EventFlag.rejected),
  })
  if (isState) head.entries.set(stateNid, { stored, roomEvent: lasting(event) })
  head.pending.set(event.eventId, stored)
  const auth = authIdsOf(head.rules, event).flatMap((id) => authEvents.get(id)?.stored.stateNid ?? [])
  const made: NewEvent = {
    roomEvent: event,
    json,
    stored,
    auth,
    replaced: undefined,
    place: 'history',
    outlier,
  }
  return { event: made, verdict }
}

function takeStateNumber(write: RoomWrite): number {
  const stateNid = write.next.event
  write.next = { ...write.next, event: stateNid + 1 }
  return stateNid
}

async function rootAfter(
  write: RoomWrite,
  before: number,
  { pdu }: RoomEvent,
  stateNid: number,
): Promise<number> {
  const keyNid = await internKey(write, pdu.type, pdu.state_key!)
  return changeRoot(write, before, [[keyNid, stateNid]])
}

/** Whether what an event points at is not looked for any more. */
function isCutOff({ beyond }: TakeUp, { eventId }: RoomEvent, parent: EventId): boolean {
  return beyond.has(eventId) || beyond.has(parent)
}

/** The newest first, so that numbers fall as one goes back. */
async function addToWrite(
  takeUp: TakeUp,
  fresh: readonly VerifiedPdu[],
  made: ReadonlyMap<EventId, Made>,
): Promise<TakenUp[]> {
  const { engine, write, gaps } = takeUp
  const { roomNid } = write.head
  const taken: TakenUp[] = []
  for (const { event: roomEvent } of fresh) {
    const one = made.get(roomEvent.eventId)
    if (one === undefined) continue
    const { event, verdict } = one
    const nid = { historical: write.events.length }
    write.events.push(event)
    taken.push({ stored: event.stored, formerNid: event.outlier?.nid })
    if (!verdict.ok) write.steps.push(noteRejection(roomNid, nid, verdict.reason))
    if (gaps.has(roomEvent.eventId)) write.steps.push(closeBackwardExtremity(roomNid, roomEvent.eventId))
    for (const parent of roomEvent.prevEventIds) {
      if (made.has(parent) || isInGraph(takeUp, parent) || isCutOff(takeUp, roomEvent, parent)) continue
      write.steps.push(noteBackwardExtremity(roomNid, parent, { nid, depth: event.stored.depth }))
    }
    const target = verdict.ok ? redactedBy(write.head.rules, event.roomEvent) : undefined
    if (target !== undefined && !made.has(target)) await addReceivedRedaction(engine, write, event)
  }
  return taken
}
