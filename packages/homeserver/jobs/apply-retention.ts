import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { listArrivedRows, listRoomsBehind } from '@causeway/store/tables/history-cuts.ts'
import { findOpenJob, listJobsAbout } from '@causeway/store/tables/jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { HISTORY_END } from '../rooms/history/read-history.ts'
import { findRoom } from '../rooms/load-head.ts'
import { redactRow, replaceInMemory } from '../rooms/redact-stored.ts'
import { expiryOf, NEVER } from '../rooms/retention/expiry.ts'
import { RETENTION_TYPE } from '../rooms/retention/lifetime.ts'
import { pduOfRow, type RoomInfo } from '../rooms/stored-event.ts'
import { cutHistory, UNCUT, type CutProgress } from './cut-history.ts'
import type { JobKind, JobWork } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'apply_retention'
const SUBJECT = 'rooms'
/** Rooms that are read of at a time. */
const PORTION = 100
const HOUR_MS = 3_600_000
/** Messages that are looked at for one write. */
const LATE_PORTION = 500
const BEFORE_ALL = Number.MIN_SAFE_INTEGER

/**
 * How far it has got: all rooms up to a number are done, and of the next one what `room` and `late` say. `since` and `upTo`
 * are positions of the log: what came between them is looked at one by one.
 */
interface Progress {
  readonly since: number
  readonly upTo: number
  readonly roomNid: number
  readonly room: CutProgress
  readonly late: number
  /** In all rooms that are done. */
  readonly rooms: number
  readonly removed: number
  readonly cleared: number
}

const OF_ROOM = { room: UNCUT, late: 0 }
const BEGINNING = { ...OF_ROOM, roomNid: 0, rooms: 0, removed: 0, cleared: 0 }

const toJson = (progress: Progress): JsonObject => JSON.parse(JSON.stringify(progress)) as JsonObject

/** Begins to remove what has outlived its time, in all rooms, unless that is under way. */
export async function applyRetention({ jobs }: { readonly jobs: Jobs }): Promise<void> {
  await jobs.start(KIND, SUBJECT)
}

/** Does so as often as the operator wants, counted over restarts of the server. */
export function applyRetentionRegularly({
  config,
  db,
  clock,
  jobs,
}: Pick<Homeserver, 'config' | 'db' | 'clock' | 'jobs'>): Chore {
  const { enabled, purge_every: everyMs } = config.retention
  return {
    name: 'remove messages that have outlived their time',
    everyMs: Math.min(everyMs, HOUR_MS),
    run: async () => {
      if (!enabled || (await findOpenJob(db, KIND, SUBJECT)) !== undefined) return
      const [last] = await listJobsAbout(db, KIND, SUBJECT)
      if (last === undefined || last.createdTs + everyMs <= clock.now()) await applyRetention({ jobs })
    },
  }
}

export function applyRetentionKind(engine: RoomEngine): JobKind {
  return {
    name: KIND,
    async run(work) {
      const { retention } = engine
      // Retention was turned off since.
      if (retention === undefined) return
      const upTo = engine.log.head()
      const since = await findSince(engine)
      let progress: Progress = { since, upTo, ...BEGINNING, ...(work.progress as Partial<Progress>) }
      const onlyThose = retention.defaultMax === undefined ? RETENTION_TYPE : undefined
      for (;;) {
        const rooms = await listRoomsBehind(engine.db, progress.roomNid, onlyThose, PORTION)
        for (const { nid, room_id: roomId } of rooms) {
          progress = await doRoom(engine, work, nid, roomId as RoomId, progress)
        }
        if (rooms.length < PORTION) return
        await work.save(toJson(progress))
      }
    },
  }
}

/** Up to where the last of these jobs looked at what had come; −∞ as a number where none did. */
async function findSince({ db }: RoomEngine): Promise<number> {
  const jobs = await listJobsAbout(db, KIND, SUBJECT)
  const done = jobs.find(({ finishedTs, progress }) => finishedTs > 0 && progress['upTo'] !== undefined)
  return (done?.progress as Partial<Progress> | undefined)?.upTo ?? BEFORE_ALL
}

async function doRoom(
  engine: RoomEngine,
  work: JobWork,
  roomNid: number,
  roomId: RoomId,
  before: Progress,
): Promise<Progress> {
  const room = await findRoom(engine, roomId)
  const passed = { ...before, ...OF_ROOM, roomNid }
  // Until its members are here, what is held of it is placed anew.
  if (room === undefined || engine.partial.find(roomNid) !== undefined) return passed
  const beforeTs = await expiryOf(engine, room)
  if (beforeTs === NEVER) return passed
  const cut = await cutHistory(
    engine,
    room,
    { before: HISTORY_END, beforeTs, keepsOwn: false, clears: true },
    before.room,
    { signal: work.signal, note: (part) => work.note(toJson({ ...before, room: part })) },
  )
  if (cut === undefined) return passed
  const { rooms, removed, cleared } = before
  const soFar = { ...before, room: cut, removed: removed + cut.removed, cleared: cleared + cut.cleared }
  return { ...(await clearLate(engine, work, room, beforeTs, soFar)), ...OF_ROOM, roomNid, rooms: rooms + 1 }
}

/**
 * What came since the last time and claims to be older than messages live, wherever it stands: imports, clocks that are
 * wrong. It loses its content in its place. Not in the room's queue: no next event depends on what it says.
 */
async function clearLate(
  engine: RoomEngine,
  work: JobWork,
  room: RoomInfo,
  beforeTs: number,
  from: Progress,
): Promise<Progress> {
  let progress = from
  for (;;) {
    const { since, upTo, late } = progress
    const range = { after: late === 0 ? since : late, upTo, limit: LATE_PORTION }
    const rows = await listArrivedRows(engine.db, room.roomNid, range)
    const due = rows.filter((row) => pduOfRow(row).origin_server_ts < beforeTs)
    const cleared = due.map((row) => redactRow(room, row, engine.clock.now()))
    const isLast = rows.length < LATE_PORTION
    progress = {
      ...progress,
      late: rows.at(-1)?.nid ?? late,
      cleared: progress.cleared + cleared.length,
    }
    if (cleared.length > 0 || !isLast) {
      const { roomId, roomNid } = room
      const entries = cleared.length > 0 ? [{ kind: 'cut' as const, position: 0, roomId, roomNid }] : []
      engine.figures.messages.cleared += cleared.length
      try {
        // Removed and cleared of the room so far are counted once it is done.
        const { room: part, removed, cleared: all } = from
        const noted = {
          ...progress,
          removed: removed - part.removed,
          cleared: all - part.cleared,
          room: UNCUT,
        }
        await work.save(
          toJson(noted),
          cleared.flatMap((one) => one.steps),
          entries,
        )
      } finally {
        // Also when the server is told to stop just then: the portion may have been written.
        await replaceInMemory(engine, room, cleared)
      }
    }
    if (isLast) return progress
  }
}
