import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { noteRejection } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { attemptWrite, othersStored, persistEvents, type PendingWrite } from '../persist.ts'
import { findHeldEvents } from '../held-events.ts'
import {
  abandonWrite,
  beginWrite,
  internKey,
  lasting,
  numberOf,
  type NewEvent,
  type RoomWrite,
} from '../room-write.ts'
import type { StateEntry } from '../state-entry.ts'
import { toStoredEvent } from '../stored-event.ts'
import { authIdsOf, authorizeByOwnAuthEvents, findAuthEvents } from './auth-lookup.ts'
import { parentsFirst } from './parents-first.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Events that are held without their place in the graph, by how it went. */
export interface StoredOutliers {
  /** Those that could not be checked, since auth events of theirs are not held. */
  readonly unchecked: readonly EventId[]
}

const ATTEMPTS = 5

/**
 * Holds verified events without their place in the graph: auth events, and the state beyond a gap. Each is allowed by
 * its own auth events or marked as rejected; one whose auth events are not held, nor part of `pdus`, is left out.
 * Throws `M_NOT_FOUND` for a room that we do not know.
 */
export async function storeOutliers(
  engine: RoomEngine,
  roomId: RoomId,
  pdus: readonly VerifiedPdu[],
): Promise<StoredOutliers> {
  const sorted = parentsFirst(pdus)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { pending, others, unchecked } = await attemptWrite(engine, roomId, attempt, () =>
      build(engine, roomId, sorted),
    )
    if (pending === undefined ? await others : (await pending.settled).ok) return { unchecked }
  }
  throw new Error(`the room ${roomId} is too busy to take in ${pdus.length} outliers`)
}

async function build(
  engine: RoomEngine,
  roomId: RoomId,
  pdus: readonly VerifiedPdu[],
): Promise<{ pending: PendingWrite | undefined; others: Promise<boolean>; unchecked: EventId[] }> {
  const head = await findHead(engine, roomId)
  if (head === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const write = beginWrite(head)
  try {
    const unchecked = await addOutliers(engine, write, pdus)
    // Those that are held may be on their way to the disk by another write.
    const others = othersStored(engine, roomId)
    if (write.events.length === 0) abandonWrite(write)
    return {
      pending: write.events.length === 0 ? undefined : persistEvents(engine, write),
      others,
      unchecked,
    }
  } catch (error) {
    abandonWrite(write)
    throw error
  }
}

/** Adds those that are not held yet. Resolves with those that could not be checked. */
async function addOutliers(
  engine: RoomEngine,
  write: RoomWrite,
  pdus: readonly VerifiedPdu[],
): Promise<EventId[]> {
  const { head } = write
  const held = await findHeldEvents(
    engine,
    head,
    pdus.map(({ event }) => event.eventId),
  )
  const fresh = pdus.filter(({ event }) => !held.has(event.eventId))
  const authEvents = await findAuthEvents(
    engine,
    write,
    fresh.map(({ event }) => event),
  )
  const unchecked: EventId[] = []
  for (const pdu of fresh) {
    const { event } = pdu
    // An outlier is only ever asked for as a piece of state.
    const isChecked = authIdsOf(head.rules, event).every((id) => authEvents.has(id))
    if (!isChecked || event.pdu.state_key === undefined) unchecked.push(event.eventId)
    else authEvents.set(event.eventId, await addOutlier(write, pdu, authEvents))
  }
  return unchecked
}

async function addOutlier(
  write: RoomWrite,
  { event, json }: VerifiedPdu,
  authEvents: ReadonlyMap<EventId, StateEntry>,
): Promise<StateEntry> {
  const { head } = write
  const verdict = authorizeByOwnAuthEvents(head.rules, event, authEvents)
  const stateNid = write.next.event
  write.next = { ...write.next, event: stateNid + 1 }
  await internKey(write, event.pdu.type, event.pdu.state_key!)
  const stored = toStoredEvent(head, event, {
    nid: 0,
    depth: 0,
    stateRoot: 0,
    roomRoot: 0,
    stateBefore: 0,
    stateNid,
    flags: EventFlag.outlier | (verdict.ok ? 0 : EventFlag.rejected),
  })
  const auth = authIdsOf(head.rules, event).map((id) => authEvents.get(id)!.stored.stateNid)
  const held: NewEvent = { roomEvent: event, json, stored, auth, replaced: undefined, place: 'history' }
  write.events.push(held)
  head.pending.set(stored.eventId, stored)
  if (!verdict.ok) write.steps.push(noteRejection(head.roomNid, numberOf(write, held), verdict.reason))
  const entry = { roomEvent: lasting(event), stored }
  head.entries.set(stateNid, entry)
  return entry
}
