import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { AFTER_ALL, findEventsOfSenderBefore } from '@causeway/store/tables/events-of-sender.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { findOpenJob, type JobRecord } from '@causeway/store/tables/jobs.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { sendEvent } from '../rooms/send.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import type { JobKind, JobWork } from './job.ts'
import { isRemovable } from './redact-user.ts'
import type { Jobs } from './runner.ts'

export const REDACT_ROOMS = 'redact_rooms'
/** Events of a room that are looked at before progress is saved. */
const STRETCH = 500
/** Refusals that are told; all are counted. */
const MAX_TOLD = 1_000

export interface RedactRoomsInput {
  /** Whose messages go. */
  readonly userId: UserId
  readonly rooms: readonly RoomId[]
  /** Who removes them. */
  readonly by: UserId
  readonly reason?: string | undefined
  /** Of each room at most so many, the newest. */
  readonly limit: number
  /** Only what was said in this time, milliseconds. */
  readonly afterTs?: number | undefined
  readonly beforeTs?: number | undefined
}

type Input = Omit<RedactRoomsInput, 'userId'>

/** How far it has got: `before` is where it goes on in the room under way, `taken` how many went of that room. */
interface Progress {
  readonly room: number
  readonly before: number
  readonly taken: number
  readonly redacted: number
  readonly refused: number
  /** Why not, by event id. */
  readonly failed: Readonly<Record<string, string>>
}

const BEGINNING: Progress = { room: 0, before: AFTER_ALL, taken: 0, redacted: 0, refused: 0, failed: {} }

/**
 * Begins to remove what a user said in many rooms, and the names and pictures of their joins, by redactions that
 * everybody sees. What a room refuses is remembered, and the rest goes on. Throws `M_INVALID_PARAM` while another such
 * job about the user is to be done.
 */
export async function redactInRooms(
  { rooms: engine, jobs }: { readonly rooms: RoomEngine; readonly jobs: Jobs },
  { userId, ...input }: RedactRoomsInput,
): Promise<JobRecord> {
  if ((await findOpenJob(engine.db, REDACT_ROOMS, userId)) !== undefined)
    throw invalidParam(`Redact already in progress for user ${userId}`)
  return await jobs.start(REDACT_ROOMS, userId, JSON.parse(JSON.stringify(input)) as JsonObject)
}

/** How the job stands: as `Progress` says, for whoever asks. */
export function refusalsOf({ progress }: JobRecord): Readonly<Record<string, string>> {
  return (progress as Partial<Progress>).failed ?? {}
}

function isWanted(row: EventRow, userId: UserId, { afterTs, beforeTs }: Input): boolean {
  const { sender, state_key: stateKey, type, content, origin_server_ts: ts } = pduOfRow(row)
  if (ts < (afterTs ?? ts) || ts > (beforeTs ?? ts)) return false
  const isJoin = type === 'm.room.member' && stateKey === userId && content['membership'] === 'join'
  return isRemovable(row, userId) || (isJoin && sender === userId && showsSomething(content))
}

/** A redacted join has neither: what has none needs no redaction, and those that went are not redacted again. */
function showsSomething(content: JsonObject): boolean {
  return content['displayname'] !== undefined || content['avatar_url'] !== undefined
}

export function redactRoomsKind(engine: RoomEngine): JobKind {
  return {
    name: REDACT_ROOMS,
    async run(work) {
      const input = work.input as unknown as Input
      let progress: Progress = { ...BEGINNING, ...(work.progress as Partial<Progress>) }
      for (; progress.room < input.rooms.length;) {
        progress = await redactStretch(engine, work, input, progress)
        await work.save({ ...progress })
      }
    },
  }
}

/** The next stretch of the room under way; at its end, or when enough went, the next room is to come. */
async function redactStretch(
  engine: RoomEngine,
  work: JobWork,
  input: Input,
  before: Progress,
): Promise<Progress> {
  const roomId = input.rooms[before.room]!
  const userId = work.subject as UserId
  const nextRoom = { room: before.room + 1, before: AFTER_ALL, taken: 0 }
  const room = await findRoom(engine, roomId)
  if (room === undefined) return { ...before, ...nextRoom }
  const { rows, last } = await findEventsOfSenderBefore(
    engine.db,
    room.roomNid,
    userId,
    before.before,
    STRETCH,
  )
  if (last === undefined) return { ...before, ...nextRoom }
  const wanted = rows.filter((row) => isWanted(row, userId, input)).slice(0, input.limit - before.taken)
  let { redacted, refused } = before
  const failed = { ...before.failed }
  for (const { event_id: eventId } of wanted) {
    const refusal = await redact(engine, roomId, eventId as EventId, input)
    if (refusal === undefined) redacted++
    else if (refused++ < MAX_TOLD) failed[eventId] = refusal
    work.signal.throwIfAborted()
  }
  const taken = before.taken + wanted.length
  const place = taken >= input.limit ? nextRoom : { room: before.room, before: last, taken }
  return { ...place, redacted, refused, failed }
}

/** Why it was refused, if it was. */
async function redact(
  engine: RoomEngine,
  roomId: RoomId,
  redacts: EventId,
  { by, reason }: Input,
): Promise<string | undefined> {
  const content = reason === undefined ? {} : { reason }
  try {
    await sendEvent(engine, { roomId, type: 'm.room.redaction', sender: by, content, redacts })
    return undefined
  } catch (error) {
    if (error instanceof MatrixError && error.status < 500) return error.message
    throw error
  }
}
