import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { findEventsByNid } from '../read-events.ts'
import { fetchBetween } from '../receive/fetch-missing.ts'
import { receivePdus } from '../receive/receive-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { Examination } from './examine-room.ts'
import type { Why } from './finding.ts'
import { withPatience, type DoctorDeps } from './with-patience.ts'

/** Of each event that was received now why it was not taken; undefined where it was. */
export type Received = Map<EventId, string | undefined>

/** Gaps that were filled. */
export interface Filled {
  /** What came into them, */
  readonly events: readonly EventId[]
  /** and what points at that. */
  readonly behind: readonly EventId[]
}

/** Events that are no part of our graph, and that we have: given just now, or held for reference. */
const MISSING: ReadonlySet<Why> = new Set(['never-received', 'beside-graph'])
/** How often what lies before an event is asked for, a hundred events at a time. */
const MAX_STEPS_BACK = 5

interface Missing {
  readonly event: RoomEvent
  readonly server: ServerName
}

/** Takes events of a server in as if it had sent them, and waits for what they refer to. */
export async function receiveFrom(
  deps: DoctorDeps,
  room: RoomInfo,
  server: ServerName,
  pdus: readonly unknown[],
  received: Received,
  signal: AbortSignal,
): Promise<void> {
  for (const [eventId, { error }] of await receivePdus(deps, server, room.roomId, pdus, signal)) {
    received.set(eventId, error)
  }
  await deps.inbox.settled(room.roomId)
}

/**
 * Receives events that never came and have a place in our graph: what they point at came to us by the log, or is to be
 * had down to where it did, so that the state at them is our own finding. Others would come with a state as some server
 * tells it, from before everything that we hold, and take the room back there.
 */
export async function placeMissing(
  deps: DoctorDeps,
  room: RoomInfo,
  { theirs }: Examination,
  received: Received,
): Promise<Filled> {
  const { engine } = deps
  const missing = [...theirs.values()].flatMap(({ known: { eventId, event, why }, server }): Missing[] =>
    event === undefined || !MISSING.has(why) || received.has(eventId) ? [] : [{ event, server }],
  )
  const ids = missing.map(({ event }) => event.eventId)
  const gaps = await findBackwardExtremities(engine.db, room.roomNid, ids)
  for (const [server, ofServer] of Map.groupBy(missing, (one) => one.server)) {
    await withPatience(deps, server, async (signal) => {
      const ready = await findWhole(deps, room, server, ofServer, signal)
      const pdus = ready.map(({ pdu }) => pdu)
      if (pdus.length > 0) await receiveFrom(deps, room, server, pdus, received, signal)
    })
  }
  const placed = await findInGraph(deps, room, [...gaps.keys()] as EventId[])
  const events = [...placed.keys()]
  const children = [...gaps].filter(([id]) => placed.has(id as EventId)).map(([, gap]) => gap.child_nid)
  const behind = [...(await findEventsByNid(engine, children)).values()]
  return { events, behind: behind.map(({ eventId }) => eventId) }
}

/** Those of a server's events all of whose past, down to what came by the log, we hold or are given now; with that. */
async function findWhole(
  deps: DoctorDeps,
  room: RoomInfo,
  server: ServerName,
  missing: readonly Missing[],
  signal: AbortSignal,
): Promise<RoomEvent[]> {
  const given = new Map(missing.map(({ event }) => [event.eventId, event]))
  const grounded = new Set<EventId>()
  for (let step = 0; ; step++) {
    const prevs = [...given.values()].flatMap(({ prevEventIds }) => prevEventIds)
    for (const [id, nid] of await findInGraph(deps, room, prevs)) if (nid > 0) grounded.add(id)
    const lacking = missing.filter(({ event }) => pastOf(event, given, grounded) === undefined)
    if (lacking.length === 0 || step === MAX_STEPS_BACK) break
    const latest = lacking.map(({ event }) => event.eventId)
    const before = given.size
    const found = await fetchBetween(
      deps,
      { room, server, signal },
      { earliest: [...grounded], latest },
    ).catch(() => [])
    for (const { event } of found) given.set(event.eventId, event)
    if (given.size === before) break
  }
  const whole = new Set(missing.flatMap(({ event }) => [...(pastOf(event, given, grounded) ?? [])]))
  return [...whole].filter(({ eventId }) => !grounded.has(eventId))
}

/** An event and what lies between it and what came by the log; undefined where something of that is not given. */
function pastOf(
  event: RoomEvent,
  given: ReadonlyMap<EventId, RoomEvent>,
  grounded: ReadonlySet<EventId>,
): Set<RoomEvent> | undefined {
  const past = new Set([event])
  // It grows as it is walked.
  for (const { prevEventIds } of past) {
    for (const id of prevEventIds) {
      if (grounded.has(id)) continue
      const parent = given.get(id)
      if (parent === undefined) return undefined
      past.add(parent)
    }
  }
  return past
}

/** The numbers of those of some events that are part of our graph. */
async function findInGraph(
  { engine }: DoctorDeps,
  { roomNid }: RoomInfo,
  ids: readonly EventId[],
): Promise<Map<EventId, number>> {
  if (ids.length === 0) return new Map()
  const rows = await findEventRows(engine.db, [...new Set(ids)])
  const own = rows.filter((row) => row.room_nid === roomNid && (row.flags & EventFlag.outlier) === 0)
  return new Map(own.map((row) => [row.event_id as EventId, row.nid]))
}
