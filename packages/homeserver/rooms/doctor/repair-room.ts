import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { judgeAnew, type Judgement } from '../judge/judge-anew.ts'
import { findEventsByNid } from '../read-events.ts'
import { authIdsOf } from '../receive/auth-lookup.ts'
import type { ReceiveDeps } from '../receive/deps.ts'
import { fetchAuthEvents } from '../receive/fetch-missing.ts'
import type { Inbox } from '../receive/inbox.ts'
import { receivePdus } from '../receive/receive-pdus.ts'
import { loadAuthGraph } from '../state/auth-graph.ts'
import { roomEventOfRow, type RoomInfo } from '../stored-event.ts'
import type { Examination } from './examine-room.ts'
import type { Why } from './finding.ts'

export type DoctorDeps = ReceiveDeps & { readonly inbox: Inbox }

/** What was done for a room. */
export interface Repair {
  /** Events that others sent us now, and what became of each: undefined where it was taken. */
  readonly received: ReadonlyMap<EventId, string | undefined>
  readonly judgement: Judgement | undefined
  /** Why the judging could not be done. */
  readonly obstacle: string | undefined
}

/** How long one server may take to give what is missing. */
const PATIENCE_MS = 60_000
/** Refused events whose auth events are asked for. */
const MAX_AUTH_REQUESTS = 50
/** Refused events that are judged anew. */
const MAX_DOUBTS = 2_000

/**
 * Mends what an examination found, without anybody's word on state: events that we lack are received as if they were
 * sent to us now, where they have a place in our graph; events that were refused are judged anew once what permits them
 * is here; and the state of everything built on either follows from the graph. A server that lies can bring about
 * nothing by this that it could not by sending events.
 */
export async function repairRoom(
  deps: DoctorDeps,
  room: RoomInfo,
  examination: Examination,
): Promise<Repair> {
  const received = new Map<EventId, string | undefined>()
  await receiveNewest(deps, room, examination, received)
  const { filled, behind } = await receiveMissing(deps, room, examination, received)
  const doubts = await listDoubts(deps, room, examination)
  if (doubts.length === 0 && filled.length === 0)
    return { received, judgement: undefined, obstacle: undefined }
  try {
    const judgement = await judgeAnew(deps.engine, room, {
      events: [...doubts, ...filled, ...behind],
      filled,
    })
    return { received, judgement, obstacle: undefined }
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    return { received, judgement: undefined, obstacle: error.message }
  }
}

/** Gives each server its time; one that does not keep it is of no help, and hinders no other. */
async function withPatience<T>(
  { clock, logger }: DoctorDeps,
  server: ServerName,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController()
  const timer = clock.setTimeout(() => stop.abort(new Error(`${server} took too long`)), PATIENCE_MS, {
    unref: true,
  })
  try {
    return await work(stop.signal)
  } catch (error) {
    logger.info('a server was of no help in repairing a room', { server, error })
    return undefined
  } finally {
    timer.cancel()
  }
}

/** Their newest events, and by way of these all that lies between: as if they had sent them. */
async function receiveNewest(
  deps: DoctorDeps,
  room: RoomInfo,
  { views }: Examination,
  received: Map<EventId, string | undefined>,
): Promise<void> {
  for (const { server, newest, holdNewest } of views) {
    if (newest === undefined || holdNewest || received.has(newest)) continue
    await withPatience(deps, server, async (signal) => {
      const pdu = await deps.peers.getEvent(server, newest, signal)
      await receive(deps, room, server, [pdu], received, signal)
    })
  }
}

async function receive(
  deps: DoctorDeps,
  room: RoomInfo,
  server: ServerName,
  pdus: readonly unknown[],
  received: Map<EventId, string | undefined>,
  signal: AbortSignal,
): Promise<void> {
  for (const [eventId, { error }] of await receivePdus(deps, server, room.roomId, pdus, signal)) {
    received.set(eventId, error)
  }
  await deps.inbox.settled(room.roomId)
}

/** Events that are no part of our graph, and that we have: given just now, or held for reference. */
const MISSING: ReadonlySet<Why> = new Set(['never-received', 'beside-graph'])

/**
 * Events that never came and have a place in our graph: one of ours points at them, or what they point at is there.
 * Others would come from before everything that we hold, and take the room's state back there. Resolves with those by
 * which gaps were filled, and the events behind these gaps.
 */
async function receiveMissing(
  deps: DoctorDeps,
  room: RoomInfo,
  { theirs }: Examination,
  received: Map<EventId, string | undefined>,
): Promise<{ readonly filled: readonly EventId[]; readonly behind: readonly EventId[] }> {
  const { engine } = deps
  const missing = [...theirs.values()].flatMap(({ known: { eventId, event, why }, server }) =>
    event === undefined || !MISSING.has(why) || received.has(eventId) ? [] : [{ event, server }],
  )
  const prevs = missing.flatMap(({ event }) => event.prevEventIds)
  const placed = await findPlaced(deps, room, prevs)
  const ids = missing.map(({ event }) => event.eventId)
  const gaps = await findBackwardExtremities(engine.db, room.roomNid, ids)
  const ready = missing.filter(
    ({ event }) => gaps.has(event.eventId) || event.prevEventIds.every((id) => placed.has(id)),
  )
  for (const [server, ofServer] of Map.groupBy(ready, (one) => one.server)) {
    const pdus = ofServer.map(({ event }) => event.pdu)
    await withPatience(deps, server, (signal) => receive(deps, room, server, pdus, received, signal))
  }
  const filled = await findPlaced(deps, room, [...gaps.keys()] as EventId[])
  const children = [...gaps].filter(([id]) => filled.has(id as EventId)).map(([, gap]) => gap.child_nid)
  const behind = [...(await findEventsByNid(engine, children)).values()]
  return { filled: [...filled], behind: behind.map(({ eventId }) => eventId) }
}

/** Those of some events that are part of our graph. */
async function findPlaced(
  { engine }: DoctorDeps,
  { roomNid }: RoomInfo,
  ids: readonly EventId[],
): Promise<Set<EventId>> {
  if (ids.length === 0) return new Set()
  const rows = await findEventRows(engine.db, [...new Set(ids)])
  const own = rows.filter((row) => row.room_nid === roomNid && (row.flags & EventFlag.outlier) === 0)
  return new Set(own.map((row) => row.event_id as EventId))
}

/** What is to be judged anew: what others have in the state and we hold, and what these rest on and we refused. */
async function listDoubts(deps: DoctorDeps, room: RoomInfo, { theirs }: Examination): Promise<EventId[]> {
  const { engine } = deps
  const rows = await findEventRows(engine.db, [...theirs.keys()])
  const own = rows.filter((row) => row.room_nid === room.roomNid)
  const refused = own.filter((row) => (row.flags & EventFlag.rejected) !== 0)
  for (const row of refused.slice(0, MAX_AUTH_REQUESTS)) {
    const event = roomEventOfRow(room, row)
    const { server } = theirs.get(event.eventId)!
    const wanted = authIdsOf(room.rules, event)
    await withPatience(deps, server, async (signal) => {
      await fetchAuthEvents(deps, { room, server, signal }, event.eventId, wanted)
    })
  }
  const graph = await loadAuthGraph(engine, room)
  const doubts = new Set(
    own
      .filter((row) => row.nid > 0 || (row.flags & EventFlag.rejected) !== 0)
      .map((row) => row.event_id as EventId),
  )
  // `doubts` grows as it is walked.
  for (const eventId of doubts) {
    if (doubts.size > MAX_DOUBTS) break
    for (const nid of graph.auth[graph.byId.get(eventId) ?? 0] ?? []) {
      if (graph.rejected.has(nid)) doubts.add(graph.ids[nid]!)
    }
  }
  return [...doubts]
}
