import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import {
  countAttempt,
  deleteInboundPdu,
  listInboundPdus,
  type InboundPduRow,
} from '@causeway/store/tables/inbound-pdus.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { findHead, findRoom } from '../load-head.ts'
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
import { acceptedOf, countReceived, type BatchOptions, type Received } from './receive-batch.ts'
import { isHopeless, waitAfter } from './retry-times.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Waiting events looked at in one round. */
const ROUND = 50
/** Rounds of asking for what lies between before a gap is accepted as one. */
const MAX_STEPS_BACK = 10
/**
 * From so many events on, an answer may have been cut short: servers hand out ten or twenty at a time. Of a shorter one
 * nothing more is asked for: what it does not lead to, the server has not, or does not tell.
 */
const FULL_ANSWER = 5
/** Events fetched on behalf of waiting ones before the gap is accepted. */
const MAX_FETCHED = 500

type Waiting = Received & { readonly outcome: 'waiting' }

/** How a round went: `done`: nothing waits any more; `again`: something moved; `later`: what is left is not due yet. */
export type RoundOutcome = 'done' | 'again' | 'later'

/** What a round needs beside the room, and tells. */
export interface DrainTools {
  readonly serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>
  readonly signal: AbortSignal
  /** Events that the waiting ones refer to and that are not there. */
  readonly onWaiting: (missing: ReadonlySet<EventId>) => void
  /** Events that have become part of the room. */
  readonly onPlaced: (room: RoomInfo, pdus: readonly VerifiedPdu[]) => Promise<void>
}

type DrainDeps = ReceiveDeps & Pick<DrainTools, 'onPlaced'>

/**
 * One round for a room's waiting events: those that can be placed are; for those of the others that are due, what they
 * refer to is fetched: from the server that sent them, and from others on later attempts. Whatever can't be had after
 * all becomes a gap.
 */
export async function drainRound(
  deps: ReceiveDeps,
  roomId: RoomId,
  { serversOf, signal, onWaiting, onPlaced }: DrainTools,
): Promise<RoundOutcome> {
  const { engine, clock } = deps
  const rows = await listInboundPdus(engine.db, roomId, ROUND)
  const room = rows.length === 0 ? undefined : await findRoom(engine, roomId)
  if (room === undefined) return 'done'
  const pdus = rows.map((row) => pduOfRow(room, row))
  const results = await placeEvents(deps, roomId, pdus, { done: (id) => [deleteInboundPdu(roomId, id)] })
  const waiting = new Map([...results].filter((entry): entry is [EventId, Waiting] => isWaiting(entry[1])))
  report(deps, roomId, results)
  onWaiting(new Set([...waiting.values()].flatMap(({ prevs, auths }) => [...prevs, ...auths])))
  await onPlaced(room, acceptedOf(pdus, results))
  if (waiting.size === 0) return rows.length < ROUND ? 'done' : 'again'
  const now = clock.now()
  const due = rows.filter(
    (row) => waiting.has(row.event_id as EventId) && row.due_ts <= now && !isHopeless(row),
  )
  if (due.length === 0) return waiting.size < results.size ? 'again' : 'later'
  const server = await serverToAsk(room, due[0]!, serversOf)
  const asked = due.filter((row) => row.origin === due[0]!.origin && row.attempts === due[0]!.attempts)
  if (await fillGaps({ ...deps, onPlaced }, room, asked, pdus, { room, server, signal })) return 'again'
  const steps = asked.map((row) => countAttempt(roomId, row.event_id, now + waitAfter(row)))
  await engine.db.commit({ entries: [], steps })
  return 'again'
}

function isWaiting(received: Received): received is Waiting {
  return received.outcome === 'waiting'
}

function pduOfRow(room: RoomInfo, row: InboundPduRow): VerifiedPdu {
  const pdu = parseJsonObject(row.json) as unknown as Pdu
  return { event: toRoomEvent(room.rules, pdu, sha256, row.event_id as EventId), json: row.json }
}

/** Whom to ask: the sender first, then by attempt the others in the room. */
async function serverToAsk(
  room: RoomInfo,
  { origin, attempts }: InboundPduRow,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Promise<ServerName> {
  const sender = origin as ServerName
  if (attempts === 0) return sender
  const candidates = [sender, ...(await serversOf(room)).filter((name) => name !== sender)]
  return candidates[attempts % candidates.length]!
}

/** Fetches what waiting events refer to. Resolves with whether any of them was placed. */
async function fillGaps(
  deps: DrainDeps,
  room: RoomInfo,
  rows: readonly InboundPduRow[],
  pdus: readonly VerifiedPdu[],
  inquiry: Inquiry,
): Promise<boolean> {
  const mine = pdus.filter(({ event }) => rows.some((row) => row.event_id === event.eventId))
  const fetched = new Map(mine.map((pdu) => [pdu.event.eventId, pdu]))
  const wantedIds = new Set(fetched.keys())
  const shown = new Set<EventId>()
  const done = (id: EventId): ReturnType<typeof deleteInboundPdu>[] =>
    wantedIds.has(id) ? [deleteInboundPdu(room.roomId, id)] : []
  let waiting = await place(deps, room, [...fetched.values()], { done })
  let mayBeMore = true
  for (let step = 0; waiting.size > 0 && step < MAX_STEPS_BACK && fetched.size < MAX_FETCHED; step++) {
    const before = fetched.size
    if (await fetchAuthsOf(deps, inquiry, waiting)) {
      waiting = await place(deps, room, [...fetched.values()], { done })
    }
    if (mayBeMore) mayBeMore = await fetchBack(deps, inquiry, { fetched, shown, waiting })
    if (fetched.size === before) break
    waiting = await place(deps, room, [...fetched.values()], { done })
  }
  if (waiting.size > 0) waiting = await acceptGaps(deps, inquiry, { fetched, shown, waiting, done })
  return [...wantedIds].some((id) => !waiting.has(id))
}

async function place(
  deps: DrainDeps,
  room: RoomInfo,
  pdus: readonly VerifiedPdu[],
  options: BatchOptions,
): Promise<Map<EventId, Waiting>> {
  const results = await placeEvents(deps, room.roomId, pdus, options)
  await deps.onPlaced(room, acceptedOf(pdus, results))
  return new Map([...results].filter((entry): entry is [EventId, Waiting] => isWaiting(entry[1])))
}

async function fetchAuthsOf(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  waiting: ReadonlyMap<EventId, Waiting>,
): Promise<boolean> {
  let asked = false
  for (const [eventId, { auths }] of waiting) {
    if (auths.length === 0) continue
    asked = true
    await fetchAuthEvents(deps, inquiry, eventId, auths)
  }
  return asked
}

/** What a round holds of a room while it looks for what is missing. */
interface Search {
  readonly fetched: Map<EventId, VerifiedPdu>
  readonly shown: Set<EventId>
  readonly waiting: ReadonlyMap<EventId, Waiting>
}

/**
 * Asks for what is before the oldest of those that wait: an answer holds few events, and from the newest on they would
 * be the ones that wait already. When there is nothing before, the oldest themselves have to be shown, see `acceptGaps`.
 * Resolves with whether there may be more.
 */
async function fetchBack(deps: ReceiveDeps, inquiry: Inquiry, search: Search): Promise<boolean> {
  const { waiting, fetched, shown } = search
  const oldest = new Set(
    [...waiting].filter(([, { prevs }]) => prevs.some((id) => !waiting.has(id))).map(([eventId]) => eventId),
  )
  const behindThem = [...waiting]
    .filter(([eventId, { prevs }]) => !oldest.has(eventId) && prevs.some((id) => oldest.has(id)))
    .map(([eventId]) => eventId)
  for (const latest of [[...oldest], behindThem]) {
    if (latest.length === 0) continue
    const before = fetched.size
    const { needed, isFull } = await fetchBefore(deps, inquiry, waiting, latest)
    for (const pdu of needed) {
      fetched.set(pdu.event.eventId, pdu)
      shown.add(pdu.event.eventId)
    }
    if (fetched.size > before) return isFull
  }
  return false
}

/** Events between what we hold and some of those that wait; none when the server is of no help. */
async function fetchBefore(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  waiting: ReadonlyMap<EventId, Waiting>,
  latest: readonly EventId[],
): Promise<{ needed: readonly VerifiedPdu[]; isFull: boolean }> {
  const earliest = await extremitiesOf(deps, inquiry.room)
  const found = await fetchBetween(deps, inquiry, { earliest, latest }).catch((error: unknown) => {
    inquiry.signal.throwIfAborted()
    // That counts as an attempt: the next one asks another server.
    deps.logger.info('the events before those that wait cannot be had', { server: inquiry.server, error })
    return []
  })
  return { needed: await neededFor(deps, waiting, found), isFull: found.length >= FULL_ANSWER }
}

/**
 * Of what a server says lies between, the events from those that wait back to what we hold. Around that, others may
 * lead back to the beginning of the room: taken for new, they would take its state back there.
 */
async function neededFor(
  { engine }: ReceiveDeps,
  waiting: ReadonlyMap<EventId, Waiting>,
  found: readonly VerifiedPdu[],
): Promise<VerifiedPdu[]> {
  const held = await findEvents(
    engine,
    found.map(({ event }) => event.eventId),
  )
  const byId = new Map(found.map((pdu) => [pdu.event.eventId, pdu]))
  const needed = new Set<VerifiedPdu>()
  const stack = [...waiting.values()].flatMap(({ prevs }) => prevs)
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const pdu = byId.get(id)
    const stored = held.get(id)
    const isInGraph = stored !== undefined && (stored.flags & EventFlag.outlier) === 0
    if (pdu === undefined || isInGraph || needed.has(pdu)) continue
    needed.add(pdu)
    stack.push(...pdu.event.prevEventIds)
  }
  return [...needed]
}

/** Read inside the queue: they move with every write. */
function extremitiesOf({ engine }: ReceiveDeps, { roomId }: RoomInfo): Promise<EventId[]> {
  return engine.queue.serial(roomId, async () => {
    const head = await findHead(engine, roomId)
    return (head?.extremities ?? []).map(({ eventId }) => eventId)
  })
}

/** What could not be placed, when there is nobody left to ask for what lies between. */
interface Unplaced {
  readonly fetched: ReadonlyMap<EventId, VerifiedPdu>
  /** Those that we were shown when we asked what lies between. */
  readonly shown: ReadonlySet<EventId>
  readonly waiting: ReadonlyMap<EventId, Waiting>
  readonly done: (eventId: EventId) => ReturnType<typeof deleteInboundPdu>[]
}

/**
 * Asks for the state after what nobody sends us, and places the events beyond. Whoever sends an event has to show what
 * it points at itself: gaps are accepted further back only, or anybody could make one anywhere.
 */
async function acceptGaps(
  deps: DrainDeps,
  inquiry: Inquiry,
  { fetched, shown, waiting, done }: Unplaced,
): Promise<Map<EventId, Waiting>> {
  const gapStates = new Map<EventId, readonly EventId[]>()
  const behind = [...waiting].filter(([eventId]) => shown.has(eventId))
  for (const [eventId, { prevs }] of behind) {
    for (const prev of prevs) {
      if (fetched.has(prev) || gapStates.has(prev)) continue
      const state = await fetchGapState(deps, inquiry, prev, eventId)
      if (state !== undefined) gapStates.set(prev, state)
    }
  }
  if (gapStates.size === 0) return new Map(waiting)
  return place(deps, inquiry.room, [...fetched.values()], { done, gapStates })
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

function report(
  { logger, figures }: ReceiveDeps,
  roomId: RoomId,
  results: ReadonlyMap<EventId, Received>,
): void {
  for (const [eventId, received] of results) {
    countReceived(figures, received)
    if (received.outcome !== 'rejected' && received.outcome !== 'soft-failed') continue
    logger.info(`an event was ${received.outcome}`, { roomId, eventId, reason: received.reason })
  }
}
