import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Statement } from '@causeway/store/db/database.ts'
import {
  deleteDigestRoom,
  listDigestRooms,
  setDigestRoom,
  type DigestRoomRow,
} from '@causeway/store/tables/digests.ts'
import { advancePush, BADGE, listPushRooms, type PushRoomRow } from '@causeway/store/tables/push-queue.ts'
import type { PusherRow } from '@causeway/store/tables/pushers.ts'
import { findEventsByNid } from '../../rooms/read-events.ts'
import { threadOf } from '../../rooms/relation.ts'
import { MAIN } from '../../unread/event-steps.ts'
import { readPositions } from '../../unread/read-positions.ts'
import { findMissed, type MissedDeps, type MissedRoom } from './missed.ts'

/** What is to be done about all that somebody may have missed. */
export interface Review {
  /** The rooms that a mail tells of, those that wait the longest first. Empty: nothing was missed. */
  readonly missed: readonly MissedRoom[]
  /** When they are told, milliseconds; undefined where nothing was missed. */
  readonly dueTs: number | undefined
  /** When what was not looked at now is; undefined where that is all. */
  readonly restTs: number | undefined
  /** Written when no mail goes out: what was read goes from the queue. */
  readonly waiting: readonly Statement[]
  /** Written once the mail was taken. */
  readonly told: readonly Statement[]
}

export interface ReviewDeps extends MissedDeps {
  readonly now: number
  /** How long a message is unread before somebody is told. */
  readonly delayMs: number
  /** The log position up to which everything was written into the queues. */
  readonly upTo: number
  /** Rooms that one mail may tell of; those beyond come with the next. */
  readonly mostRooms?: number
}

/** A room is silent for so long after a mail, and for twice as long after each further one, until it is read. */
const FIRST_PAUSE_MS = 3_600_000
const LONGEST_PAUSE_MS = 24 * 3_600_000
const MOST_ROOMS = 200

/** Looks through the queue of a pusher: what its user has not read, and when they are to be told. */
export async function reviewMissed(deps: ReviewDeps, pusher: PusherRow): Promise<Review> {
  const { mostRooms = MOST_ROOMS } = deps
  const all = await listPushRooms(deps.rooms.db, pusher.nid, mostRooms + 2)
  const waiting = all.filter(({ room_nid: roomNid }) => roomNid !== BADGE)
  const rows = waiting.slice(0, mostRooms)
  const roomNids = rows.map((row) => row.room_nid)
  const states = new Map(
    (await listDigestRooms(deps.rooms.db, pusher.nid, roomNids)).map((state) => [state.room_nid, state]),
  )
  const reviews: RoomOutcome[] = []
  for (const row of rows) reviews.push(await reviewRoom(deps, pusher, row, states.get(row.room_nid)))
  const rest = reviews.some(({ missed, dueTs }) => missed === undefined && dueTs !== undefined)
    ? deps.now
    : waiting.length > rows.length
      ? deps.now + deps.delayMs
      : undefined
  return {
    missed: reviews.flatMap(({ missed }) => (missed === undefined ? [] : [missed])),
    dueTs: earliest(reviews.map(({ missed, dueTs }) => (missed === undefined ? undefined : dueTs))),
    restTs: rest,
    waiting: reviews.flatMap(({ waiting }) => waiting),
    told: reviews.flatMap(({ told }) => told),
  }
}

/** The earliest of some times, those that are none left out. */
export function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

interface RoomOutcome {
  readonly missed: MissedRoom | undefined
  /** When it is told, or, where nothing was found yet, when the rest is looked at. */
  readonly dueTs: number | undefined
  readonly waiting: readonly Statement[]
  readonly told: readonly Statement[]
}

async function reviewRoom(
  deps: ReviewDeps,
  pusher: PusherRow,
  row: PushRoomRow,
  known: DigestRoomRow | undefined,
): Promise<RoomOutcome> {
  const { now, delayMs, upTo } = deps
  const { missed, lookedAt } = await findMissed(deps, pusher.user_id as UserId, row, upTo)
  const all = advancePush(pusher.nid, row, upTo + 1, true)
  const state = known !== undefined && (await wasRead(deps, pusher, known)) ? undefined : known
  if (missed === undefined) {
    const forgotten =
      known !== undefined && state === undefined ? [deleteDigestRoom(pusher.nid, row.room_nid)] : []
    const done = [...(lookedAt === undefined ? all : advancePush(pusher.nid, row, lookedAt, false))]
    const steps = [...done, ...forgotten]
    return { missed, dueTs: lookedAt === undefined ? undefined : now, waiting: steps, told: steps }
  }
  const first = missed.events[0]!
  // What another server says of the time is not believed for the future.
  const since = known?.missed_nid === first.nid ? known.missed_ts : Math.min(first.originServerTs, now)
  const next: DigestRoomRow = {
    ...(state ?? { told_nid: 0, told_ts: 0, pause_ms: 0 }),
    pusher_nid: pusher.nid,
    room_nid: row.room_nid,
    missed_nid: first.nid,
    missed_ts: since,
  }
  const pause = Math.min(next.pause_ms * 2, LONGEST_PAUSE_MS) || FIRST_PAUSE_MS
  const told = { ...next, missed_nid: 0, missed_ts: 0, told_nid: missed.events.at(-1)!.nid, told_ts: now }
  return {
    missed,
    dueTs: Math.max(since + delayMs, next.told_ts + next.pause_ms),
    waiting: [setDigestRoom(next)],
    told: [...all, setDigestRoom({ ...told, pause_ms: pause })],
  }
}

/** Whether the last event that a mail told of was read since: then the room begins anew. */
async function wasRead(
  { rooms }: ReviewDeps,
  { user_id: userId }: PusherRow,
  { told_nid: nid, room_nid: roomNid }: DigestRoomRow,
): Promise<boolean> {
  if (nid === 0) return false
  const event = (await findEventsByNid(rooms, [nid])).get(nid)
  const userRooms = await rooms.members.roomsOf(userId as UserId)
  const userRoom = event && userRooms.byId.get(event.roomId)
  if (event === undefined || userRoom === undefined) return true
  const read = (await readPositions(rooms, userId, [userRoom])).get(roomNid)
  return read !== undefined && nid <= read(threadOf(event.content) ?? MAIN)
}
