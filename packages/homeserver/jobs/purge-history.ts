import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findOpenJob, type JobRecord } from '@causeway/store/tables/jobs.ts'
import { HISTORY_END, HISTORY_START, listHistory } from '../rooms/history/read-history.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { END, findEvent } from '../rooms/read-events.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { cutHistory, cutProgressOf } from './cut-history.ts'
import { JobRefused, type JobKind } from './job.ts'
import type { Jobs } from './runner.ts'

export const PURGE_HISTORY = 'purge_history'

/** Where a room's history is to begin: before an event, or at a time. */
export type PurgeUpTo = { readonly eventId: EventId } | { readonly ts: number }

export interface PurgeHistoryInput {
  readonly upTo: PurgeUpTo
  /** Whether what people of this server said goes, too: there may be no other copy of it. */
  readonly deletesOwn: boolean
}

interface JobInput {
  readonly depth: number
  readonly nid: number
  readonly ts: number
  readonly keepsOwn: boolean
}

/**
 * Begins to remove the messages of a room's past. State stays, and what the next event follows.
 * Throws `M_NOT_FOUND` for a room or an event that is not known, and when nothing is before the time, and
 * `M_INVALID_PARAM` for an event of another room and while another such job about the room is to be done.
 */
export async function purgeHistory(
  { rooms: engine, jobs }: { readonly rooms: RoomEngine; readonly jobs: Jobs },
  roomId: RoomId,
  { upTo, deletesOwn }: PurgeHistoryInput,
): Promise<JobRecord> {
  const event = 'eventId' in upTo ? await requireEvent(engine, roomId, upTo.eventId) : undefined
  const room = await findRoom(engine, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const place =
    'ts' in upTo ? await endOf(engine, room, upTo.ts) : { depth: event!.depth, nid: event!.nid, ts: END }
  if ((await findOpenJob(engine.db, PURGE_HISTORY, roomId)) !== undefined)
    throw invalidParam(`History purge already in progress for ${roomId}`)
  const input: JobInput = { ...place, keepsOwn: !deletesOwn }
  return await jobs.start(PURGE_HISTORY, roomId, { ...input })
}

async function requireEvent(engine: RoomEngine, roomId: RoomId, eventId: EventId): Promise<StoredEvent> {
  const event = await findEvent(engine, eventId)
  if (event === undefined) throw notFound(`This server does not hold the event ${eventId}`)
  if (event.roomId !== roomId) throw invalidParam('Event is for wrong room.')
  return event
}

async function endOf(engine: RoomEngine, room: RoomInfo, ts: number): Promise<Omit<JobInput, 'keepsOwn'>> {
  const [first] = await listHistory(engine, room, {
    after: HISTORY_START,
    before: HISTORY_END,
    arrivedBefore: END,
    backwards: false,
    limit: 1,
  })
  if (first === undefined || first.originServerTs >= ts) throw notFound('there is no event to be purged')
  return { ...HISTORY_END, ts }
}

export function purgeHistoryKind(engine: RoomEngine): JobKind {
  return {
    name: PURGE_HISTORY,
    async run(work) {
      const { depth, nid, ts, keepsOwn } = work.input as unknown as JobInput
      const room = await findRoom(engine, work.subject as RoomId)
      if (room === undefined) throw new JobRefused('The room is gone')
      // Until its members are here, what is held of it is placed anew.
      if (engine.partial.find(room.roomNid) !== undefined) throw new JobRefused(PARTIAL)
      const cut = { before: { depth, nid }, beforeTs: ts, keepsOwn, clears: false }
      const note = (progress: object) => work.note({ ...progress } as JsonObject)
      const done = await cutHistory(engine, room, cut, cutProgressOf(work.progress), {
        signal: work.signal,
        note,
      })
      if (done === undefined) throw new JobRefused('The room is gone')
    },
  }
}

const PARTIAL =
  'This server has only begun to join the room: its history can be purged when all members are here'
