import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { deleteInboundPdu, type InboundPduRow } from '@causeway/store/tables/inbound-pdus.ts'
import { findHistoryCut } from '@causeway/store/tables/history-cuts.ts'
import { findHead } from '../load-head.ts'
import { isOutage } from '../peers/is-outage.ts'
import { findEvents } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import {
  fetchAuthEvents,
  fetchBetween,
  fetchStateAfter,
  fetchStateBefore,
  type Inquiry,
} from './fetch-missing.ts'
import { placeEvents } from './place-events.ts'
import { acceptedOf, isWaiting, type BatchOptions, type Waiting } from './receive-batch.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Rounds of asking for what lies between before a gap is accepted as one. */
const MAX_STEPS_BACK = 10
/**
 * From so many events on, an answer may have been cut short: servers hand out ten or twenty at a time. Of a shorter one
 * nothing more is asked for: what it does not lead to, the server has not, or does not tell.
 */
const FULL_ANSWER = 5
/** Events fetched on behalf of waiting ones before the gap is accepted. */
const MAX_FETCHED = 500
/** Times that the search begins anew from what it has placed, before that counts as an attempt. */
const MAX_PASSES = 5
/** Events that we say we hold; other servers read no more. */
const MAX_NAMED = 100
/** Times that the same is asked again with more of what we hold named. */
const MAX_NAMINGS = 3

/** What is needed beside the room. */
export interface FillDeps extends ReceiveDeps {
  /** Told of events that have become part of the room. */
  readonly onPlaced: (room: RoomInfo, pdus: readonly VerifiedPdu[]) => Promise<void>
}

/**
 * Fetches what waiting events refer to. Resolves with whether any of them was placed. As long as others of what lies
 * before them are, the same server is asked for the rest; not for ever, since it may make up more and more of it.
 */
export async function fillGaps(
  deps: FillDeps,
  rows: readonly InboundPduRow[],
  pdus: readonly VerifiedPdu[],
  inquiry: Inquiry,
): Promise<boolean> {
  const wanted = pdus.filter(({ event }) => rows.some((row) => row.event_id === event.eventId))
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const { isPlaced, isNearer } = await search(deps, inquiry, wanted)
    if (isPlaced || !isNearer) return isPlaced
  }
  return false
}

/** What is held of a room while it is looked for what is missing. */
interface Search {
  /** The events that wait, and those that were fetched for them. */
  readonly fetched: Map<EventId, VerifiedPdu>
  /** Those that we were shown when we asked what lies between. */
  readonly shown: Set<EventId>
  /** Events of answers that are part of the room already: named from then on, so that answers hold others. */
  readonly known: Set<EventId>
  /** Auth events that were asked for: who does not tell one the first time does not the second time either. */
  readonly askedAuths: Set<EventId>
  /** Those of the fetched that cannot be placed yet. */
  waiting: ReadonlyMap<EventId, Waiting>
  /** Something has become part of the room. */
  isNearer: boolean
  readonly done: (eventId: EventId) => ReturnType<typeof deleteInboundPdu>[]
}

async function search(
  deps: FillDeps,
  inquiry: Inquiry,
  wanted: readonly VerifiedPdu[],
): Promise<{ isPlaced: boolean; isNearer: boolean }> {
  const { roomId } = inquiry.room
  const fetched = new Map(wanted.map((pdu) => [pdu.event.eventId, pdu]))
  const wantedIds = new Set(fetched.keys())
  const found: Search = {
    fetched,
    shown: new Set(),
    known: new Set(),
    askedAuths: new Set(),
    waiting: new Map(),
    isNearer: false,
    done: (id) => (wantedIds.has(id) ? [deleteInboundPdu(roomId, id)] : []),
  }
  await place(deps, inquiry, found)
  let mayBeMore = true
  for (let step = 0; found.waiting.size > 0 && step < MAX_STEPS_BACK && fetched.size < MAX_FETCHED; step++) {
    const before = fetched.size
    if (await fetchAuthsOf(deps, inquiry, found)) await place(deps, inquiry, found)
    if (mayBeMore) mayBeMore = await fetchBack(deps, inquiry, found)
    if (fetched.size === before) break
    await place(deps, inquiry, found)
  }
  if (found.waiting.size > 0) await acceptGaps(deps, inquiry, found)
  return { isPlaced: [...wantedIds].some((id) => !found.waiting.has(id)), isNearer: found.isNearer }
}

/** Places what can be placed by now. */
async function place(
  deps: FillDeps,
  { room }: Inquiry,
  found: Search,
  gapStates?: BatchOptions['gapStates'],
): Promise<void> {
  const pdus = [...found.fetched.values()]
  const options = { done: found.done, ...(gapStates === undefined ? {} : { gapStates }) }
  const results = await placeEvents(deps, room.roomId, pdus, options)
  const accepted = acceptedOf(pdus, results)
  found.isNearer ||= accepted.length > 0
  await deps.onPlaced(room, accepted)
  found.waiting = new Map([...results].filter((entry): entry is [EventId, Waiting] => isWaiting(entry[1])))
}

/** An auth event that waits itself is not asked for: it is placed with its parents. Resolves with whether any was. */
async function fetchAuthsOf(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  { waiting, fetched, askedAuths }: Search,
): Promise<boolean> {
  const before = askedAuths.size
  for (const [eventId, { auths }] of waiting) {
    const wanted = auths.filter((id) => !fetched.has(id) && !askedAuths.has(id))
    if (wanted.length === 0) continue
    for (const id of wanted) askedAuths.add(id)
    await fetchAuthEvents(deps, inquiry, eventId, wanted)
  }
  return askedAuths.size > before
}

/**
 * Asks for what is before the oldest of those that wait: an answer holds few events, and from the newest on they would
 * be the ones that wait already. When there is nothing before, the oldest themselves have to be shown, see `acceptGaps`.
 * Resolves with whether there may be more.
 */
async function fetchBack(deps: ReceiveDeps, inquiry: Inquiry, found: Search): Promise<boolean> {
  const { waiting, fetched, shown } = found
  const oldest = new Set(
    [...waiting].filter(([, { prevs }]) => prevs.some((id) => !waiting.has(id))).map(([eventId]) => eventId),
  )
  const behindThem = [...waiting]
    .filter(([eventId, { prevs }]) => !oldest.has(eventId) && prevs.some((id) => oldest.has(id)))
    .map(([eventId]) => eventId)
  for (const latest of [[...oldest], behindThem]) {
    if (latest.length === 0) continue
    const before = fetched.size
    const { needed, isFull } = await fetchBefore(deps, inquiry, found, latest)
    for (const pdu of needed) {
      fetched.set(pdu.event.eventId, pdu)
      shown.add(pdu.event.eventId)
    }
    if (fetched.size > before) return isFull
  }
  return false
}

/**
 * Events between what we hold and some of those that wait; none when the server is of no help. An answer may hold
 * nothing but what we hold, too, since a server knows of that only what is named: then it is named, and asked again.
 */
async function fetchBefore(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  found: Search,
  latest: readonly EventId[],
): Promise<{ needed: readonly VerifiedPdu[]; isFull: boolean }> {
  for (let namings = 0; ; namings++) {
    const earliest = await namesOfHeld(deps, inquiry, found, latest)
    const answer = await askBetween(deps, inquiry, { earliest, latest })
    const before = found.known.size
    const needed = await neededFor(deps, inquiry.room, found, answer)
    const isFull = answer.length >= FULL_ANSWER
    const mayHelp = isFull && found.known.size > before && namings < MAX_NAMINGS
    if (needed.length > 0 || !mayHelp) return { needed, isFull }
  }
}

async function askBetween(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  gap: Parameters<typeof fetchBetween>[2],
): Promise<readonly VerifiedPdu[]> {
  try {
    return await fetchBetween(deps, inquiry, gap)
  } catch (error) {
    inquiry.signal.throwIfAborted()
    // That counts as an attempt: the next one asks another server.
    deps.logger.info('the events before those that wait cannot be had', { server: inquiry.server, error })
    return []
  }
}

/**
 * Where an answer need not go on: at what we hold of the parents of those that wait, at the room's forward extremities,
 * and at what earlier answers held in vain. Of whatever else we hold, the other server cannot know.
 */
async function namesOfHeld(
  deps: ReceiveDeps,
  { room }: Inquiry,
  { fetched, waiting, known }: Search,
  latest: readonly EventId[],
): Promise<EventId[]> {
  const parents = latest.flatMap((id) => {
    const missing = waiting.get(id)?.prevs ?? []
    return fetched.get(id)?.event.prevEventIds.filter((prev) => !missing.includes(prev)) ?? []
  })
  return [...new Set([...parents, ...(await extremitiesOf(deps, room)), ...known])].slice(0, MAX_NAMED)
}

/**
 * Of what a server says lies between, the events from those that wait back to what we hold. Around that, others may
 * lead back to the beginning of the room: taken for new, they would take its state back there.
 */
async function neededFor(
  { engine }: ReceiveDeps,
  { roomNid }: RoomInfo,
  { waiting, known, fetched }: Search,
  answer: readonly VerifiedPdu[],
): Promise<VerifiedPdu[]> {
  const held = await findEvents(
    engine,
    answer.map(({ event }) => event.eventId),
  )
  const isInGraph = (id: EventId): boolean =>
    ((held.get(id)?.flags ?? EventFlag.outlier) & EventFlag.outlier) === 0
  const byId = new Map(answer.map((pdu) => [pdu.event.eventId, pdu]))
  const needed = new Set<VerifiedPdu>()
  // Where the room's history was cut off, what waiting events point at is as far back as it goes: a gap lies before it.
  const cut = answer.length === 0 ? undefined : await findHistoryCut(engine.db, roomNid)
  const isBeyond = ({ event }: VerifiedPdu): boolean => cut !== undefined && event.pdu.depth <= cut
  const begin = [...waiting].filter(([id]) => !isBeyond(fetched.get(id)!))
  const stack = begin.flatMap(([, { prevs }]) => prevs)
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const pdu = byId.get(id)
    if (pdu === undefined || isInGraph(id) || needed.has(pdu)) continue
    needed.add(pdu)
    if (!isBeyond(pdu)) stack.push(...pdu.event.prevEventIds)
  }
  for (const id of byId.keys()) if (isInGraph(id)) known.add(id)
  return [...needed]
}

/** Read inside the queue: they move with every write. */
function extremitiesOf({ engine }: ReceiveDeps, { roomId }: RoomInfo): Promise<EventId[]> {
  return engine.queue.serial(roomId, async () => {
    const head = await findHead(engine, roomId)
    return (head?.extremities ?? []).map(({ eventId }) => eventId)
  })
}

/**
 * Asks for the state after what nobody sends us, and places the events beyond. Whoever sends an event has to show what
 * it points at itself: gaps are accepted further back only, or anybody could make one anywhere.
 */
async function acceptGaps(deps: FillDeps, inquiry: Inquiry, found: Search): Promise<void> {
  const { fetched, shown, waiting } = found
  const gapStates = new Map<EventId, readonly EventId[]>()
  const behind = [...waiting].filter(([eventId]) => shown.has(eventId))
  for (const [eventId, { prevs }] of behind) {
    for (const prev of prevs) {
      if (fetched.has(prev) || gapStates.has(prev)) continue
      const state = await fetchGapState(deps, inquiry, prev, eventId)
      if (state !== undefined) gapStates.set(prev, state)
    }
  }
  if (gapStates.size > 0) await place(deps, inquiry, found, gapStates)
}

/**
 * The state after an event that cannot be had. A server that took the gap itself does not hold that event either, and
 * tells what it goes by: the state before the event that follows.
 */
async function fetchGapState(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  missing: EventId,
  child: EventId,
): Promise<readonly EventId[] | undefined> {
  try {
    return await fetchStateAfter(deps, inquiry, missing).catch((error: unknown) => {
      if (isOutage(error)) throw error
      return fetchStateBefore(deps, inquiry, child)
    })
  } catch (error) {
    inquiry.signal.throwIfAborted()
    deps.logger.info('the state at a gap cannot be had', { server: inquiry.server, eventId: missing, error })
    return undefined
  }
}
