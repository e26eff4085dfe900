import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { cutSteps } from '@causeway/store/erasure/statements.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { EventRow, GraphPlace } from '@causeway/store/tables/events.ts'
import { listMessageRows, raiseHistoryCut } from '@causeway/store/tables/history-cuts.ts'
import { noteUnreferenced } from '@causeway/store/tables/media-references.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { readStoredExtremities } from '../rooms/head.ts'
import { HISTORY_START } from '../rooms/history/read-history.ts'
import { findOwnMediaIds } from '../rooms/media-references.ts'
import { roomSettled } from '../rooms/persist.ts'
import { HIDDEN } from '../rooms/read-events.ts'
import { redactRow, replaceInMemory } from '../rooms/redact-stored.ts'
import { pduOfRow, storedEventOfRow, type RoomInfo } from '../rooms/stored-event.ts'
import type { JobWork } from './job.ts'

/** Messages that are looked at for one write. */
const PORTION = 200
/** Others get the database for as long as a portion took, but no longer than this. */
const LONGEST_PAUSE_MS = 100

/** What of a room's messages is to go; state stays, and what the next event follows. */
export interface Cut {
  /** Only what stands before this place of the graph. */
  readonly before: GraphPlace
  /**
   * Only what was said before this time, milliseconds. History is cut off at the first message that was said later; what
   * was said before the time and stands behind that one stays in its place.
   */
  readonly beforeTs: number
  /** Whether what people of this server said stays. */
  readonly keepsOwn: boolean
  /** Whether what stays in its place, and may be shown to nobody, loses its content. */
  readonly clears: boolean
}

/** How far it has got: everything up to a place is done. */
export interface CutProgress extends GraphPlace {
  /** The first message that stays has been passed: nothing behind it is removed. */
  readonly isPast: boolean
  readonly removed: number
  readonly cleared: number
}

export const UNCUT: CutProgress = { ...HISTORY_START, isPast: false, removed: 0, cleared: 0 }

/** What becomes of the messages of one portion. */
interface Sorted {
  readonly removed: readonly EventRow[]
  readonly cleared: readonly EventRow[]
  readonly next: CutProgress
  readonly isDone: boolean
}

/**
 * Removes messages from the beginning of a room's history on, a portion at a time, each in one write with `note` of how
 * far it has got by then. What is left is a graph that begins later: its first events point at nothing that is held, and
 * their state is known.
 * @returns how far it got: undefined when the room is gone
 */
export async function cutHistory(
  engine: RoomEngine,
  room: RoomInfo,
  cut: Cut,
  from: CutProgress,
  work: Pick<JobWork, 'signal'> & { note: (progress: CutProgress) => Step },
): Promise<CutProgress | undefined> {
  let progress = from
  for (;;) {
    const began = engine.clock.monotonic()
    const sorted = await engine.queue.serial(room.roomId, () => cutPortion(engine, room, cut, progress, work))
    if (sorted === undefined) return undefined
    progress = sorted.next
    if (sorted.isDone) return progress
    work.signal.throwIfAborted()
    const pause = Math.min(engine.clock.monotonic() - began, LONGEST_PAUSE_MS)
    await engine.clock.sleep(pause, work.signal)
  }
}

/** Inside the room's queue, with nothing of the room on its way to the disk: what the next event follows is known. */
async function cutPortion(
  engine: RoomEngine,
  room: RoomInfo,
  cut: Cut,
  progress: CutProgress,
  { note }: { note: (progress: CutProgress) => Step },
): Promise<Sorted | undefined> {
  await roomSettled(engine, room.roomId)
  const row = await findRoomRow(engine.db, room.roomId)
  if (row?.nid !== room.roomNid) return undefined
  const { depth, nid } = progress
  const range = { after: { depth, nid }, before: cut.before, limit: PORTION }
  const rows = await listMessageRows(engine.db, room.roomNid, range)
  const sorted = sortOut(engine, rows, cut, progress, new Set(readStoredExtremities(row).eventIds))
  const cleared = sorted.cleared.map((one) => redactRow(room, one, engine.clock.now()))
  const changes = sorted.removed.length + cleared.length > 0
  if (!changes && sorted.isDone) return sorted
  const steps = [
    ...sorted.removed.flatMap((one) => mediaNotes(engine, one)),
    ...removalSteps(room, sorted.removed),
    ...cleared.flatMap((one) => one.steps),
    note(sorted.next),
  ]
  const { roomId, roomNid } = room
  const entries = changes ? [{ kind: 'cut' as const, position: 0, roomId, roomNid }] : []
  const result = await engine.db.commit({ entries, steps })
  if (!result.ok) throw new Error(`A write that cuts history was refused at step ${result.step}`)
  engine.figures.messages.removed += sorted.removed.length
  engine.figures.messages.cleared += cleared.length
  for (const one of sorted.removed) forgetEvent(engine, room, one)
  await replaceInMemory(engine, room, cleared)
  return sorted
}

function sortOut(
  engine: RoomEngine,
  rows: readonly EventRow[],
  { beforeTs, keepsOwn, clears }: Cut,
  progress: CutProgress,
  extremities: ReadonlySet<string>,
): Sorted {
  const [removed, cleared]: [EventRow[], EventRow[]] = [[], []]
  let { isPast } = progress
  let isAnyDue = false
  for (const row of rows) {
    const { sender, origin_server_ts: ts } = pduOfRow(row)
    if (ts >= beforeTs) {
      // What nobody is shown, since it was refused, may claim any time.
      isPast ||= (row.flags & HIDDEN) === 0
      continue
    }
    isAnyDue = true
    if (keepsOwn && serverNameOf(sender) === engine.serverName) continue
    if (!isPast && !extremities.has(row.event_id)) removed.push(row)
    else if (clears && (row.flags & EventFlag.redacted) === 0) cleared.push(row)
  }
  const last = rows.at(-1)
  const next: CutProgress = {
    depth: last?.depth ?? progress.depth,
    nid: last?.nid ?? progress.nid,
    isPast,
    removed: progress.removed + removed.length,
    cleared: progress.cleared + cleared.length,
  }
  // Behind the first that stays, times are out of order by no more than a portion, or it is done when that one goes.
  const isDone = rows.length < PORTION || (isPast && (!clears || !isAnyDue))
  return { removed, cleared, next, isDone }
}

function mediaNotes({ serverName, clock }: RoomEngine, row: EventRow): Step[] {
  const { sender, content } = pduOfRow(row)
  if (findOwnMediaIds(serverName, content).size === 0) return []
  return [noteUnreferenced(row.nid, sender, clock.now())]
}

function removalSteps({ roomNid }: RoomInfo, removed: readonly EventRow[]): Step[] {
  const last = removed.at(-1)
  if (last === undefined) return []
  const events = removed.map((row) => ({ nid: row.nid, eventId: row.event_id }))
  return [...cutSteps(roomNid, events), ...raiseHistoryCut(roomNid, last.depth)]
}

/** Nothing of it is left in memory; what the log has of it there is shown to nobody. */
function forgetEvent(engine: RoomEngine, room: RoomInfo, row: EventRow): void {
  const { ring } = engine.log
  if (row.nid > ring.floor()) {
    const { flags, ...event } = storedEventOfRow(room, row)
    ring.replaceEvent({ ...event, content: {}, clientJson: '{}', flags: flags | EventFlag.outlier })
  }
  engine.events.delete(row.event_id as EventId)
}

/** Progress as jobs write it down. */
export const cutProgressOf = (progress: JsonObject): CutProgress => ({
  ...UNCUT,
  ...(progress as Partial<CutProgress>),
})
