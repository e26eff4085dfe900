import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { appendEvent } from '../append-event.ts'
import type { RoomEngine } from '../engine.ts'
import type { Extremity } from '../head.ts'
import { findHead } from '../load-head.ts'
import { persistEvents, roomSettled } from '../persist.ts'
import { findEvents, findEventsByNid, MERGE_TYPE } from '../read-events.ts'
import { authorizeAt, findAuthEvents } from '../receive/auth-lookup.ts'
import { findMergeSender } from '../receive/merge-branches.ts'
import { abandonWrite, beginWrite, type RoomWrite } from '../room-write.ts'
import {
  advanceRoomState,
  listStateChanges,
  tellMemberChanges,
  type StateChange,
} from '../state/advance-room-state.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import { rootOfEvents } from '../state/root-of-events.ts'
import type { RoomInfo } from '../stored-event.ts'
import { asBefore, isRejected, judgeOutliers, judgeStretch, type Judging, type Standing } from './judging.ts'
import { loadStretch, type GraphEvent } from './load-stretch.ts'
import { writeStandings } from './write-standings.ts'

/** What is to be judged anew. */
export interface Doubts {
  /** Events that were refused, or whose effect is in doubt: ids of what we hold. */
  readonly events: readonly EventId[]
  /** Events that came into gaps, with those that point at them. */
  readonly filled?: readonly EventId[]
  /** An event whose parents we do not hold, and the state before it. */
  readonly beginning?: Beginning
}

/** What is known now of the state before an event: what these states resolve to, each by its events, which are held. */
export interface Beginning {
  readonly eventId: EventId
  readonly states: readonly (readonly EventId[])[]
}

/** What came of it. */
export interface Judgement {
  /** Refused before, and part of the room now. */
  readonly accepted: readonly EventId[]
  /** The other way round. */
  readonly refused: readonly { readonly eventId: EventId; readonly reason: string }[]
  /** Events at which the state is another one than before. */
  readonly moved: number
  /** How the room's current state is another one. */
  readonly changes: readonly StateChange[]
}

const NOTHING: Judgement = { accepted: [], refused: [], moved: 0, changes: [] }

/**
 * Judges events anew that may have been judged wrongly, when what permits them was not held, and everything that was
 * built on them: state follows from the graph that we hold and from nothing else. The write is told like any other:
 * what is accepted now comes into the log, and syncs tell what became of the state. Holds the room's queue until it is
 * durable. With `dryRun` nothing is written.
 * @throws MatrixError M_TOO_LARGE when it lies too far back, M_FORBIDDEN when nobody of ours may send what would tell it, or the
 * state that a beginning is given does not allow that
 */
export function judgeAnew(
  engine: RoomEngine,
  room: RoomInfo,
  doubts: Doubts,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<Judgement> {
  return engine.queue.serial(room.roomId, async () => {
    // What was handed to the log before ends first: its rows are among those that are read.
    await roomSettled(engine, room.roomId)
    const head = await findHead(engine, room.roomId)
    if (head === undefined) return NOTHING
    const { events, filled = [], beginning } = doubts
    const targets = beginning === undefined ? events : [...events, beginning.eventId]
    const rows = await findEventRows(engine.db, [...targets, ...filled])
    const own = rows.filter((row) => row.room_nid === room.roomNid)
    const isOutlier = (row: { flags: number }): boolean => (row.flags & EventFlag.outlier) !== 0
    const outliers = own.filter((row) => isOutlier(row) && isRejected(row))
    const placed = own.filter((row) => !isOutlier(row))
    if (outliers.length === 0 && placed.length === 0) return NOTHING
    const depths = placed.map(({ depth }) => depth)
    const stretch = placed.length === 0 ? [] : await loadStretch(engine, room, Math.min(...depths))
    // What was resolved while some of them were refused does not hold.
    forgetResolutions(engine, room)
    const write = beginWrite(head)
    const work: Judging = {
      engine,
      write,
      stretch: new Map(stretch.map((event) => [event.eventId, event])),
      targets: new Set(targets),
      filled: new Set(filled),
      begun: new Map(),
      changed: new Map(),
      grounded: new Set(),
      overlaid: new Set(),
    }
    try {
      const freed = await judgeOutliers(work, outliers)
      const begun = await rootsOf(work, beginning)
      await judgeStretch({ ...work, begun }, stretch)
      requireBeginning(work, beginning)
      if (freed.length === 0 && work.changed.size === 0) return NOTHING
      return await conclude(work, stretch, freed, dryRun)
    } finally {
      for (const nid of work.overlaid) head.entries.delete(nid)
      abandonWrite(work.write)
      head.state.clear()
    }
  })
}

async function rootsOf(
  { engine, write }: Judging,
  beginning: Beginning | undefined,
): Promise<Map<EventId, number>> {
  if (beginning === undefined) return new Map()
  const roots: number[] = []
  for (const state of beginning.states) roots.push(await rootOfEvents(engine, write, state))
  return new Map([[beginning.eventId, await resolveRoots(engine, write, roots)]])
}

/** A state that does not allow what the room begins with for us cannot be right, or we are not in the room. */
function requireBeginning({ changed }: Judging, beginning: Beginning | undefined): void {
  const standing = beginning === undefined ? undefined : changed.get(beginning.eventId)
  if (standing === undefined || !isRejected(standing)) return
  throw forbidden(`By the state that others tell, our join was not allowed: ${standing.reason}`)
}

function forgetResolutions(engine: RoomEngine, { roomNid }: RoomInfo): void {
  engine.resolutions.deleteWhere((key) => key.startsWith(`${roomNid}:`))
}

async function conclude(
  work: Judging,
  stretch: readonly GraphEvent[],
  freed: readonly EventId[],
  dryRun: boolean,
): Promise<Judgement> {
  const { engine, write } = work
  await moveExtremities(work, stretch)
  const roots = write.extremities.map((end) => end.root)
  const root = await asBefore(write, write.head.stateRoot, await resolveRoots(engine, write, roots))
  const moved = await writeStandings(work, root)
  await advanceRoomState(engine, write, root)
  const changes = await listStateChanges(engine, write, { from: write.head.stateRoot, to: root })
  if (!dryRun) {
    if (changes.length > 0 && !write.events.some(({ place }) => place === 'log')) await tellByMerging(work)
    await store(work)
  }
  const standings = [...work.changed.values()]
  const was = ({ event }: Standing): boolean => isRejected(event)
  return {
    accepted: [
      ...freed,
      ...standings.filter((one) => was(one) && !isRejected(one)).map(({ event }) => event.eventId),
    ],
    refused: standings
      .filter((one) => !was(one) && isRejected(one))
      .map(({ event, reason = '' }) => ({ eventId: event.eventId, reason })),
    moved,
    changes,
  }
}

/**
 * The branches in which the room ends: with the states that they have now, and without what is refused now, or is
 * followed by something that counts now.
 */
async function moveExtremities(work: Judging, stretch: readonly GraphEvent[]): Promise<void> {
  const { write, changed } = work
  const followed = findFollowed(work, stretch)
  const kept = write.extremities.filter(({ eventId }) => {
    const standing = changed.get(eventId)
    return !followed.has(eventId) && (standing === undefined || counts(standing))
  })
  const gone = write.extremities.filter((end) => !kept.includes(end))
  write.extremities = kept.map((end) => ({ ...end, root: changed.get(end.eventId)?.root ?? end.root }))
  const news = [...changed.values()].filter((one) => isRejected(one.event) && counts(one))
  if (write.extremities.length === 0) write.extremities = await whatTheyFollow(work, gone)
  for (const standing of news) {
    if (!followed.has(standing.event.eventId)) await addEnd(work, standing)
  }
}

/** What something that counts points at, directly or over events that are refused. */
function findFollowed({ changed, stretch: byId }: Judging, stretch: readonly GraphEvent[]): Set<EventId> {
  const now = (event: GraphEvent): boolean => counts(changed.get(event.eventId) ?? event)
  const followed = new Set(stretch.filter(now).flatMap(({ prevs }) => prevs))
  // It grows as it is walked.
  for (const id of followed) {
    const event = byId.get(id)
    if (event !== undefined && !now(event)) for (const prev of event.prevs) followed.add(prev)
  }
  return followed
}

function counts({ flags }: { readonly flags: number }): boolean {
  return (flags & (EventFlag.rejected | EventFlag.softFailed)) === 0
}

/** Where every end is refused now, the room ends in what they follow. */
async function whatTheyFollow(work: Judging, gone: readonly Extremity[]): Promise<Extremity[]> {
  const { engine, write, changed, stretch } = work
  const ids = gone.flatMap(({ eventId }) => stretch.get(eventId)?.prevs ?? [])
  const ends: Extremity[] = []
  for (const { eventId, depth, stateRoot, flags } of (await findEvents(engine, [...new Set(ids)])).values()) {
    const standing = changed.get(eventId)
    if ((flags & EventFlag.outlier) !== 0 || isRejected(standing ?? { flags })) continue
    ends.push({ eventId, depth, root: standing?.root ?? stateRoot })
  }
  if (ends.length === 0) throw forbidden(`Nothing would be left of ${write.head.roomId}`)
  return ends
}

/** A newest event that is accepted now has to pass by the current state as well, as if it came now. */
async function addEnd({ engine, write, changed }: Judging, standing: Standing): Promise<void> {
  const { event, roomEvent, root } = standing
  const current = await resolveRoots(
    engine,
    write,
    write.extremities.map((end) => end.root),
  )
  const authEvents = await findAuthEvents(engine, write, [roomEvent])
  const verdict = await authorizeAt(engine, write, current, roomEvent, authEvents)
  if (!verdict.ok) {
    const flags = standing.flags | EventFlag.softFailed
    changed.set(event.eventId, { ...standing, flags, reason: verdict.reason })
    return
  }
  const { rules } = write.head
  const hash = rules.referencePairs ? { hash: referenceHash(rules, roomEvent.pdu, sha256) } : {}
  const others = write.extremities.filter(({ eventId }) => !event.prevs.includes(eventId))
  write.extremities = [...others, { eventId: event.eventId, depth: event.depth, root, ...hash }]
}

/** Readers learn of states by events: where none is new, one that says nothing tells it. */
async function tellByMerging({ engine, write }: Judging): Promise<void> {
  const sender = await findMergeSender(engine, write)
  if (sender === undefined) {
    throw forbidden('Nobody of this server may send an event in the room, by which its users could be told')
  }
  const event = await appendEvent(engine, write, { type: MERGE_TYPE, sender, content: {} })
  // What syncs were told before it is not the state before it.
  const stored = { ...event.stored, flags: event.stored.flags | EventFlag.branched }
  write.events[write.events.indexOf(event)] = { ...event, stored }
  write.head.pending.set(stored.eventId, stored)
}

async function store(work: Judging): Promise<void> {
  const { engine, write } = work
  await tellMemberChanges(engine, write)
  const moved = write.events.map(({ outlier }) => outlier).filter((held) => held !== undefined)
  const result = await persistEvents(engine, write).settled
  if (!result.ok) throw new Error(`${write.head.roomId} could not be stored: step ${result.step}`)
  await refresh(engine, write, work, moved)
}

/** Whatever is in memory of what changed is read anew. */
async function refresh(
  engine: RoomEngine,
  { head, events }: RoomWrite,
  { changed, overlaid }: Judging,
  moved: readonly StoredEvent[],
): Promise<void> {
  const { roomNid } = head
  for (const eventId of changed.keys()) engine.events.delete(eventId)
  for (const nid of overlaid) engine.stateEntries.delete(`${roomNid}:${nid}`)
  engine.authGraphs.delete(roomNid)
  engine.events.deleteWhere(
    (_id, { roomNid: nid, flags }) => nid === roomNid && (flags & EventFlag.outlier) !== 0,
  )
  const oldest = engine.log.ring.floor()
  const now = [...changed.values()].map(({ event }) => event.nid).filter((nid) => nid > oldest)
  for (const event of (await findEventsByNid(engine, now)).values()) engine.log.ring.replaceEvent(event)
  const told = new Map(events.map(({ stored }) => [stored.eventId, stored]))
  for (const { eventId, nid, roomId, stateKey, type } of moved) {
    if (type !== 'm.room.member') continue
    engine.members.renumber(stateKey as never, roomId, { from: nid, to: told.get(eventId)!.nid })
  }
}
