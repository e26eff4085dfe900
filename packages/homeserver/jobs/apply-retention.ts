import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { listRoomsBehind } from '@causeway/store/tables/history-cuts.ts'
import { findOpenJob, listJobsAbout } from '@causeway/store/tables/jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { HISTORY_END } from '../rooms/history/read-history.ts'
import { findRoom } from '../rooms/load-head.ts'
import { expiryOf, NEVER } from '../rooms/retention/expiry.ts'
import { RETENTION_TYPE } from '../rooms/retention/lifetime.ts'
import { cutHistory, UNCUT, type CutProgress } from './cut-history.ts'
import type { JobKind, JobWork } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'apply_retention'
const SUBJECT = 'rooms'
/** Rooms that are read of at a time. */
const PORTION = 100
const HOUR_MS = 3_600_000

/** How far it has got: all rooms up to a number are done, and of the next one all up to a place. */
interface Progress {
  readonly roomNid: number
  readonly room: CutProgress
  /** In all rooms that are done. */
  readonly rooms: number
  readonly removed: number
  readonly cleared: number
}

const BEGINNING: Progress = { roomNid: 0, room: UNCUT, rooms: 0, removed: 0, cleared: 0 }

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
      let progress: Progress = { ...BEGINNING, ...(work.progress as Partial<Progress>) }
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

async function doRoom(
  engine: RoomEngine,
  work: JobWork,
  roomNid: number,
  roomId: RoomId,
  before: Progress,
): Promise<Progress> {
  const room = await findRoom(engine, roomId)
  const passed = { ...before, roomNid, room: UNCUT }
  // Until its members are here, what is held of it is placed anew.
  if (room === undefined || engine.partial.find(roomNid) !== undefined) return passed
  const beforeTs = await expiryOf(engine, room)
  if (beforeTs === NEVER) return passed
  const done = await cutHistory(
    engine,
    room,
    { before: HISTORY_END, beforeTs, keepsOwn: false, clears: true },
    before.room,
    { signal: work.signal, note: (part) => work.note(toJson({ ...before, room: part })) },
  )
  if (done === undefined) return passed
  const { rooms, removed, cleared } = before
  return {
    ...passed,
    rooms: rooms + 1,
    removed: removed + done.removed,
    cleared: cleared + done.cleared,
  }
}
