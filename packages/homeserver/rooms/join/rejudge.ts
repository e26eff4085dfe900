import type { Verdict } from '@causeway/matrix/event-auth/auth-state.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { findEventRows, type EventRow } from '@causeway/store/tables/events.ts'
import { listStateRoots, replaceRejection, setJudged, takeBack } from '@causeway/store/tables/state-roots.ts'
import { sha256 } from '../../crypto/sha256.ts'
import type { RoomEngine } from '../engine.ts'
import type { Extremity } from '../head.ts'
import { findEvents } from '../read-events.ts'
import {
  authIdsOf,
  authorizeAtWhole,
  authorizeByOwnAuthEvents,
  findAuthEvents,
  type AuthEvents,
} from '../receive/auth-lookup.ts'
import { changeRoot, internKey, lasting, type RoomWrite } from '../room-write.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import type { StateEntry } from '../state-entry.ts'
import { placeOfRow, roomEventOfRow, toStoredEvent } from '../stored-event.ts'
import type { Rerooting } from './reroot.ts'

/** A refused event that is accepted now. */
export interface AcceptedAfterAll {
  readonly row: EventRow
  readonly roomEvent: RoomEvent
  /** With its place in the states; its number is the old one. */
  readonly stored: StoredEvent
  /** Its auth events, by their numbers among the room's state events. */
  readonly auth: readonly number[]
  /** Events that it points at and that are not part of the graph. */
  readonly missing: readonly EventId[]
}

/** How the room stands once all events since our join were judged by the whole state. */
export interface Judgement {
  readonly extremities: readonly Extremity[]
  readonly stateRoot: number
  /** What was judged and may be in memory as it was before, in its new form. */
  readonly inMemory: readonly StoredEvent[]
  /** Numbers among the room's state events of those that were judged. */
  readonly stateNids: readonly number[]
  readonly acceptedAfterAll: readonly AcceptedAfterAll[]
  /** Events that had been shown and are refused now. */
  readonly takenBack: number
  /** Servers of users that came in. */
  readonly cameIn: ReadonlySet<ServerName>
}

const REFUSED = EventFlag.rejected | EventFlag.softFailed
const DECIDED = REFUSED | EventFlag.branched

/** Events that are read at once. */
const PORTION = 200

interface Court {
  readonly engine: RoomEngine
  readonly write: RoomWrite
  readonly rerooting: Rerooting
  /** Of the whole state before our join. */
  readonly whole: number
  readonly joinNid: number
  /** The state after each event that was judged. */
  readonly roots: Map<EventId, number>
  /** State events that were judged, in their new form. */
  readonly entries: Map<EventId, StateEntry>
  /** What accepted events point at: who comes after them closes a gap. */
  readonly pointedAt: Set<EventId>
  readonly inMemory: StoredEvent[]
  readonly acceptedAfterAll: AcceptedAfterAll[]
  readonly cameIn: Set<ServerName>
  takenBack: number
  extremities: readonly Extremity[]
  current: number
}

/**
 * Judges every event since our join anew, by its own auth events, by the state before it and by the current state, as
 * they are with nothing missing; what was decided while the room was partial counts for nothing. In the order in which
 * they came; those that were refused before what builds on them, and else at the end. The changed rows become part of
 * the write. Only inside the room's queue. What it notes in `head.entries` for its own look-ups, `forgetJudged` takes
 * away.
 */
export async function judgeSinceJoin(
  engine: RoomEngine,
  write: RoomWrite,
  from: { readonly joinNid: number; readonly whole: number; readonly rerooting: Rerooting },
): Promise<Judgement> {
  const court: Court = {
    engine,
    write,
    ...from,
    roots: new Map(),
    entries: new Map(),
    pointedAt: new Set(),
    inMemory: [],
    acceptedAfterAll: [],
    cameIn: new Set(),
    takenBack: 0,
    extremities: [],
    current: from.whole,
  }
  const rows = await listStateRoots(engine.db, write.head.roomNid, from.joinNid)
  const came = rows.filter((row) => row.nid > 0).map((row) => row.event_id as EventId)
  // Their numbers fall with time.
  const refused = rows.filter((row) => row.nid < 0).map((row) => row.event_id as EventId)
  const others = new Set(refused.toReversed())
  for (const ids of [came, [...others]]) {
    for (let at = 0; at < ids.length; at += PORTION) {
      await judgePortion(court, ids.slice(at, at + PORTION), others)
    }
  }
  const { extremities, current, inMemory, entries, acceptedAfterAll, takenBack, cameIn } = court
  const stateNids = [...entries.values()].map(({ stored }) => stored.stateNid)
  return { extremities, stateRoot: current, inMemory, stateNids, acceptedAfterAll, takenBack, cameIn }
}

/** Takes away what `judgeSinceJoin` left in the head, whatever becomes of the write. */
export function forgetJudged({ head }: RoomWrite, { stateNids }: Pick<Judgement, 'stateNids'>): void {
  for (const stateNid of stateNids) head.entries.delete(stateNid)
}

interface ReadEvent {
  readonly row: EventRow
  readonly roomEvent: RoomEvent
}

/** What a portion of events is judged with. */
interface Material {
  readonly events: ReadonlyMap<EventId, ReadEvent>
  readonly authEvents: AuthEvents
  /** Parents that are no part of what is judged. */
  readonly earlier: ReadonlyMap<EventId, StoredEvent>
}

async function judgePortion(
  court: Court,
  ids: readonly EventId[],
  refused: ReadonlySet<EventId>,
): Promise<void> {
  const left = ids.filter((id) => !court.roots.has(id))
  const material = await readMaterial(court, left, refused)
  for (const id of left) await judgeWithParents(court, material, id)
}

/** The events with those refused ones that they build on. */
async function readMaterial(
  { engine, write, roots }: Court,
  ids: readonly EventId[],
  refused: ReadonlySet<EventId>,
): Promise<Material> {
  const events = new Map<EventId, ReadEvent>()
  for (let wanted = [...ids]; wanted.length > 0;) {
    const next = new Set<EventId>()
    for (const row of await findEventRows(engine.db, wanted)) {
      const roomEvent = roomEventOfRow(write.head, row)
      events.set(roomEvent.eventId, { row, roomEvent })
      for (const id of roomEvent.prevEventIds) if (refused.has(id) && !roots.has(id)) next.add(id)
    }
    wanted = [...next].filter((id) => !events.has(id))
  }
  const all = [...events.values()].map(({ roomEvent }) => roomEvent)
  const prevs = new Set(all.flatMap(({ prevEventIds }) => prevEventIds))
  const outside = [...prevs].filter((id) => !events.has(id) && !roots.has(id))
  const [authEvents, earlier] = await Promise.all([
    findAuthEvents(engine, write, all),
    findEvents(engine, outside),
  ])
  return { events, authEvents, earlier }
}

/** Refused parents first; without recursion, since a stranger makes such chains as long as they like. */
async function judgeWithParents(court: Court, material: Material, id: EventId): Promise<void> {
  const stack = [id]
  const seen = new Set(stack)
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const event = court.roots.has(top) ? undefined : material.events.get(top)
    const before = event?.roomEvent.prevEventIds.find(
      (parent) => (material.events.get(parent)?.row.nid ?? 0) < 0 && !seen.has(parent),
    )
    if (before === undefined) {
      stack.pop()
      if (event !== undefined) await judge(court, material, event)
    } else {
      seen.add(before)
      stack.push(before)
    }
  }
}

async function judge(court: Court, material: Material, { row, roomEvent }: ReadEvent): Promise<void> {
  const { engine, write } = court
  const missing: EventId[] = []
  const roots: number[] = []
  for (const id of roomEvent.prevEventIds) {
    const root = await rootAfter(court, material, id)
    if (root === undefined) missing.push(id)
    else roots.push(root)
  }
  const isSince = row.nid > 0 || roomEvent.prevEventIds.some((id) => court.roots.has(id))
  // Else refused before our join, when we were in the room another time.
  if (!isSince) return
  let before = court.whole
  if (row.nid !== court.joinNid) {
    const isWhole = missing.length === 0 && roots.length > 0
    before = isWhole
      ? await resolveRoots(engine, write, roots)
      : await court.rerooting.rootOf(row.state_before)
  }
  const authEvents = ownAuthEvents(court, material, roomEvent)
  const byOwn = authorizeByOwnAuthEvents(write.head.rules, roomEvent, authEvents)
  const verdict = byOwn.ok ? await authorizeAtWhole(engine, write, before, roomEvent) : byOwn
  await settle(court, { row, roomEvent, before, missing, verdict, authEvents })
}

/** The state after a parent; undefined where it was not part of the graph when the event came. */
async function rootAfter(
  { roots, rerooting, joinNid }: Court,
  { earlier, events }: Material,
  id: EventId,
): Promise<number | undefined> {
  const known = roots.get(id)
  if (known !== undefined) return known
  const refusedBefore = events.get(id)?.row
  if (refusedBefore !== undefined) return refusedBefore.nid < 0 ? refusedBefore.state_root : undefined
  const held = earlier.get(id)
  if (held === undefined || held.nid >= joinNid || held.stateRoot === 0) return undefined
  return rerooting.rootOf(held.stateRoot)
}

/** With what was decided of them meanwhile. */
function ownAuthEvents({ write, entries }: Court, { authEvents }: Material, event: RoomEvent): AuthEvents {
  const own = new Map<EventId, StateEntry>()
  for (const id of authIdsOf(write.head.rules, event)) {
    const entry = entries.get(id) ?? authEvents.get(id)
    if (entry !== undefined) own.set(id, entry)
  }
  return own
}

interface Case extends ReadEvent {
  readonly before: number
  readonly missing: readonly EventId[]
  readonly verdict: Verdict
  readonly authEvents: AuthEvents
}

/** What passes by its own auth events and the state before it has to pass by the current state, too. */
async function settle(court: Court, subject: Case): Promise<void> {
  const { engine, write } = court
  const { before, missing, roomEvent, row, verdict } = subject
  if (!verdict.ok) return conclude(court, subject, EventFlag.rejected)
  const hasGap = missing.length > 0 && row.nid !== court.joinNid
  const roots = court.extremities.map(({ root }) => root)
  const current = hasGap ? await resolveRoots(engine, write, [...roots, before]) : court.current
  const now = current === before ? verdict : await authorizeAtWhole(engine, write, current, roomEvent)
  await conclude(court, { ...subject, verdict: now }, now.ok ? 0 : EventFlag.softFailed)
}

/** Gives the event its place. @param refused 0 or how it is refused */
async function conclude(court: Court, subject: Case, refused: number): Promise<void> {
  const { engine, write, roots, entries, inMemory } = court
  const { row, roomEvent, before } = subject
  const { type, state_key: stateKey } = roomEvent.pdu
  let root = before
  if (stateKey !== undefined && refused !== EventFlag.rejected) {
    root = await changeRoot(write, before, [[await internKey(write, type, stateKey), row.state_nid]])
  }
  const isBranched = refused === 0 && before !== court.current
  if (refused === 0) await advance(court, subject, root)
  const roomRoot = refused === 0 ? court.current : root
  const flags = (row.flags & ~DECIDED) | refused | (isBranched ? EventFlag.branched : 0)
  const place = { ...placeOfRow(row), stateBefore: before, stateRoot: root, roomRoot, flags }
  const stored = toStoredEvent(write.head, roomEvent, place)
  roots.set(roomEvent.eventId, root)
  if (stored.stateNid !== 0) {
    const entry = { roomEvent: lasting(roomEvent), stored }
    entries.set(roomEvent.eventId, entry)
    write.head.entries.set(stored.stateNid, entry)
  }
  if (row.nid > engine.log.ring.floor()) inMemory.push(stored)
  record(court, subject, stored)
}

/** What an accepted event makes of the ends of the graph, and of the room's current state. */
async function advance(court: Court, { row, roomEvent, before }: Case, root: number): Promise<void> {
  const { engine, write, pointedAt, cameIn } = court
  const { rules } = write.head
  const { eventId, prevEventIds, pdu } = roomEvent
  if (pdu.type === 'm.room.member' && pdu.content['membership'] === 'join') {
    cameIn.add(serverNameOf(pdu.state_key as UserId))
  }
  const others = court.extremities.filter((tip) => !prevEventIds.includes(tip.eventId))
  const closesGap = pointedAt.has(eventId)
  const hash = rules.referencePairs ? { hash: referenceHash(rules, pdu, sha256) } : {}
  court.extremities = closesGap ? others : [...others, { eventId, depth: row.depth, root, ...hash }]
  for (const id of prevEventIds) pointedAt.add(id)
  if (!closesGap && others.length === 0 && before === court.current) {
    court.current = root
    return
  }
  const tips = court.extremities.map((tip) => tip.root)
  court.current = await resolveRoots(engine, write, tips)
}

/** Writes down what is another thing now. */
function record(
  court: Court,
  { row, roomEvent, verdict, authEvents, missing }: Case,
  stored: StoredEvent,
): void {
  const { write } = court
  const { roomNid } = write.head
  const was = row.flags & REFUSED
  const is = stored.flags & REFUSED
  if (was !== 0 && is === 0) {
    const auth = [...authEvents.values()].map((entry) => entry.stored.stateNid)
    court.acceptedAfterAll.push({ row, roomEvent, stored, auth, missing })
    return
  }
  const { stateRoot, stateBefore: before, roomRoot, flags } = stored
  const roots = { root: stateRoot, before, roomRoot: roomRoot === stateRoot ? 0 : roomRoot }
  write.steps.push(setJudged(row.nid, { ...roots, flags }))
  if (verdict.ok || was === is) return
  if (was === 0) {
    court.takenBack++
    write.steps.push(...takeBack(roomNid, row.nid, verdict.reason))
  } else write.steps.push(...replaceRejection(roomNid, row.nid, verdict.reason))
}
