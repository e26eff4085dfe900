import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createEventIdOf } from '@causeway/matrix/ids/room-id.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import { loadAuthGraph } from '../state/auth-graph.ts'
import type { RoomInfo } from '../stored-event.ts'
import { orderBatch } from './order-batch.ts'

/** Events asked for at a time, and taken of an answer whatever it holds. */
export const BATCH = 100
/** Events of a batch before which we do not know the state and ask for it; more make the batch not worth it. */
const MAX_EDGES = 8
/** From how many missing events of a state on the whole of it is fetched in one answer. */
const MANY = 40
/** Longest state that is taken, and its auth chain. */
const MAX_STATE = 50_000
/** Events fetched one by one at most. */
const MAX_SINGLE = 200
/** Events verified between two breaths of the event loop. */
const PORTION = 50
/** How often auth events of auth events are asked for. */
const AUTH_ROUNDS = 3

/** What one server told of a gap, verified: to be authorised and stored inside the room's queue. */
export interface FetchedBatch {
  /** The newest first. */
  readonly pdus: readonly VerifiedPdu[]
  /** State and auth events that we do not hold yet. */
  readonly outliers: ReadonlyMap<EventId, VerifiedPdu>
  /** Ids of the state before the oldest events; absent for a batch without state events, which changes none. */
  readonly stateBefore: ReadonlyMap<EventId, readonly EventId[]>
}

interface Fetch {
  readonly engine: RoomEngine
  readonly peers: RoomPeers
  readonly room: RoomInfo
  readonly server: ServerName
  readonly signal: AbortSignal
  readonly outliers: Map<EventId, VerifiedPdu>
  /** Whether a state event is held already, in the graph or beside it. */
  readonly isHeld: (eventId: EventId) => boolean
}

/**
 * Asks one server for what is before a gap, with all that is needed to authorise it. Uses the network, so never inside
 * a room's queue. @throws whatever the peer throws, and when the answer is of no use
 */
export async function fetchBatch(
  engine: RoomEngine,
  peers: RoomPeers,
  room: RoomInfo,
  server: ServerName,
  gap: readonly EventId[],
  signal: AbortSignal,
): Promise<FetchedBatch> {
  const graph = await loadAuthGraph(engine, room)
  const isHeld = (eventId: EventId): boolean => graph.byId.has(eventId)
  const fetch: Fetch = { engine, peers, room, server, signal, isHeld, outliers: new Map() }
  const sent = await peers.backfill(server, room.roomId, gap, BATCH, signal)
  const known = await verify(fetch, sent.slice(0, BATCH))
  const inGraph = await findInGraph(engine, room, known)
  const first = orderBatch([...known.values()], gap, inGraph)
  if (first.pdus.length === 0) throw new Error(`${server} sent nothing that fills the gap`)
  await fetchAuthEvents(fetch, first.pdus, known)
  const sound = first.pdus.filter(({ event }) => event.authEventIds.every((id) => isAtHand(fetch, known, id)))
  const batch = orderBatch(sound, gap, inGraph)
  if (engine.partial.find(room.roomNid) !== undefined) {
    const pdus = untilState(batch.pdus)
    if (pdus.length > 0) {
      // What allows them may be among those that are left for later.
      addWanted(fetch, pdus, new Map(), known)
      return { pdus, outliers: fetch.outliers, stateBefore: new Map() }
    }
    await engine.partial.whenWhole(room.roomNid, signal)
    return fetchBatch(engine, peers, room, server, gap, signal)
  }
  const stateBefore = await fetchStates(fetch, batch, known)
  return { pdus: batch.pdus, outliers: fetch.outliers, stateBefore }
}

/**
 * The newest events of a batch that need no state but the one that stands above them. While a room's members are on
 * their way this much can be read already; the state further back would bring all of them a second time.
 */
function untilState(pdus: readonly VerifiedPdu[]): readonly VerifiedPdu[] {
  const at = pdus.findIndex(({ event }) => event.pdu.state_key !== undefined)
  return at === -1 ? pdus : pdus.slice(0, at)
}

function isAtHand(
  { isHeld, outliers }: Fetch,
  batch: ReadonlyMap<EventId, VerifiedPdu>,
  id: EventId,
): boolean {
  return isHeld(id) || batch.has(id) || outliers.has(id)
}

async function verify(
  { engine, peers, room, signal }: Fetch,
  pdus: readonly unknown[],
): Promise<Map<EventId, VerifiedPdu>> {
  const sound = new Map<EventId, VerifiedPdu>()
  for (let start = 0; start < pdus.length; start += PORTION) {
    if (start > 0) await new Promise<void>((resume) => engine.clock.defer(resume))
    signal.throwIfAborted()
    for (const verdict of await verifyPdus(peers, room, pdus.slice(start, start + PORTION), signal)) {
      if (verdict.ok) sound.set(verdict.pdu.event.eventId, verdict.pdu)
    }
  }
  return sound
}

/** Says which events, of those sent and of those they point at, are part of the graph. */
async function findInGraph(
  { db }: RoomEngine,
  room: RoomInfo,
  pdus: ReadonlyMap<EventId, VerifiedPdu>,
): Promise<(eventId: EventId) => boolean> {
  const ids = new Set([...pdus.values()].flatMap(({ event }) => [event.eventId, ...event.prevEventIds]))
  const rows = await findEventRows(db, [...ids])
  const placed = rows.filter((row) => row.room_nid === room.roomNid && (row.flags & EventFlag.outlier) === 0)
  const held = new Set(placed.map((row) => row.event_id))
  return (eventId) => held.has(eventId)
}

/** Auth events that are named and not held: first as a chain, what is left one by one. */
async function fetchAuthEvents(
  fetch: Fetch,
  from: Iterable<VerifiedPdu>,
  batch: ReadonlyMap<EventId, VerifiedPdu>,
): Promise<void> {
  const { peers, server, room, signal, outliers } = fetch
  const start = [...from]
  for (let round = 0; round < AUTH_ROUNDS; round++) {
    const lacking = lackingAuth(fetch, start, batch)
    if (lacking.size === 0) return
    if (round === 0) {
      const [asked] = [...lacking.values()]
      const chain = await peers.getEventAuth(server, room.roomId, asked!, signal)
      addWanted(fetch, start, batch, await verify(fetch, chain.slice(0, MAX_STATE)))
    } else {
      const got = await verify(fetch, await fetchSingly(fetch, [...lacking.keys()]))
      for (const [id, pdu] of got) if (lacking.has(id)) outliers.set(id, pdu)
    }
  }
}

/** Auth events that nobody has sent yet, each with the event that names it. */
function lackingAuth(
  fetch: Fetch,
  from: readonly VerifiedPdu[],
  batch: ReadonlyMap<EventId, VerifiedPdu>,
): Map<EventId, EventId> {
  const lacking = new Map<EventId, EventId>()
  for (const { event } of [...from, ...fetch.outliers.values()]) {
    for (const id of event.authEventIds) if (!isAtHand(fetch, batch, id)) lacking.set(id, event.eventId)
  }
  const { rules, roomId } = fetch.room
  const create = rules.roomIdIsCreateHash ? createEventIdOf(roomId) : undefined
  if (create !== undefined && from.length > 0 && !isAtHand(fetch, batch, create)) {
    lacking.set(create, from[0]!.event.eventId)
  }
  return lacking
}

/** Of a chain only what is needed: an answer cannot make us keep anything else. */
function addWanted(
  fetch: Fetch,
  from: readonly VerifiedPdu[],
  batch: ReadonlyMap<EventId, VerifiedPdu>,
  chain: ReadonlyMap<EventId, VerifiedPdu>,
): void {
  for (;;) {
    const found = [...lackingAuth(fetch, from, batch).keys()].filter((id) => chain.has(id))
    if (found.length === 0) return
    for (const id of found) fetch.outliers.set(id, chain.get(id)!)
  }
}

async function fetchSingly({ peers, server, signal }: Fetch, ids: readonly EventId[]): Promise<unknown[]> {
  const found: unknown[] = []
  const wanted = ids.slice(0, MAX_SINGLE)
  for (let start = 0; start < wanted.length; start += 10) {
    const portion = wanted.slice(start, start + 10)
    const answers = await Promise.allSettled(portion.map((id) => peers.getEvent(server, id, signal)))
    for (const answer of answers) if (answer.status === 'fulfilled') found.push(answer.value)
    signal.throwIfAborted()
  }
  return found
}

/** The state before the oldest events of a batch, as ids, with those of its events that we do not hold. */
async function fetchStates(
  fetch: Fetch,
  { pdus, edges }: { readonly pdus: readonly VerifiedPdu[]; readonly edges: readonly VerifiedPdu[] },
  batch: ReadonlyMap<EventId, VerifiedPdu>,
): Promise<Map<EventId, readonly EventId[]>> {
  const states = new Map<EventId, readonly EventId[]>()
  if (!pdus.some(({ event }) => event.pdu.state_key !== undefined)) return states
  if (edges.length > MAX_EDGES)
    throw new Error(`${fetch.server} sent a batch with ${edges.length} loose ends`)
  const { peers, server, room, signal } = fetch
  for (const { event } of edges) {
    const { pduIds } = await peers.getStateIds(server, room.roomId, event.eventId, signal)
    if (pduIds.length > MAX_STATE) throw new Error(`${server} told a state of ${pduIds.length} events`)
    await fetchStateEvents(fetch, event.eventId, pduIds, batch)
    states.set(event.eventId, pduIds)
  }
  return states
}

async function fetchStateEvents(
  fetch: Fetch,
  at: EventId,
  ids: readonly EventId[],
  batch: ReadonlyMap<EventId, VerifiedPdu>,
): Promise<void> {
  const missing = ids.filter((id) => !isAtHand(fetch, new Map(), id))
  if (missing.length === 0) return
  const wanted = new Set(missing)
  const { chain, state } = await fetchWhole(fetch, at, missing)
  const taken: VerifiedPdu[] = []
  for (const [id, pdu] of state) {
    if (!wanted.has(id)) continue
    fetch.outliers.set(id, pdu)
    taken.push(pdu)
  }
  addWanted(fetch, taken, batch, chain)
  await fetchAuthEvents(fetch, taken, batch)
}

async function fetchWhole(
  fetch: Fetch,
  at: EventId,
  missing: readonly EventId[],
): Promise<{ state: Map<EventId, VerifiedPdu>; chain: Map<EventId, VerifiedPdu> }> {
  const { peers, server, room, signal } = fetch
  if (missing.length <= MANY) {
    return { state: await verify(fetch, await fetchSingly(fetch, missing)), chain: new Map() }
  }
  const whole = await stateOf(peers, server, room.roomId, at, signal)
  return { state: await verify(fetch, whole.pdus), chain: await verify(fetch, whole.authChain) }
}

async function stateOf(
  peers: RoomPeers,
  server: ServerName,
  roomId: RoomId,
  at: EventId,
  signal: AbortSignal,
): Promise<{ pdus: readonly unknown[]; authChain: readonly unknown[] }> {
  const { pdus, authChain } = await peers.getState(server, roomId, at, signal)
  return { pdus: pdus.slice(0, MAX_STATE), authChain: authChain.slice(0, MAX_STATE) }
}
