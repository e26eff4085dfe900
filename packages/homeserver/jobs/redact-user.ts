import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { BEFORE_ALL, findEventsOfSender } from '@causeway/store/tables/events-of-sender.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import type { JobRecord } from '@causeway/store/tables/jobs.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { sendEvent } from '../rooms/send.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import { JobRefused, type JobKind } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'redact_user'
/** Events of the room that are looked at before progress is saved. */
const STRETCH = 500

export interface RedactUserInput {
  readonly roomId: RoomId
  /** Whose messages go. */
  readonly userId: UserId
  /** Who removes them: somebody of this server who is in the room and may. Default: the user. */
  readonly by?: UserId | undefined
  readonly reason?: string | undefined
}

/**
 * Begins to remove everything a user said in a room, by redactions that everybody in the room and other servers
 * see. State stays: it is the room's. Throws `M_NOT_FOUND`, and `M_FORBIDDEN` when `by` is not of this server.
 */
export async function redactUserIn(
  { rooms: engine, jobs }: { readonly rooms: RoomEngine; readonly jobs: Jobs },
  { roomId, userId, by = userId, reason }: RedactUserInput,
): Promise<JobRecord> {
  const room = await findRoom(engine, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const members = await engine.members.localMembers(room.roomNid)
  if (!members.has(by)) throw forbidden(`${by} is not a user of this server who is in the room`)
  return await jobs.start(KIND, `${roomId} ${userId}`, { by, ...(reason === undefined ? {} : { reason }) })
}

/** What goes: messages of all kinds, but not redactions. */
export function isRemovable(row: EventRow, userId: UserId): boolean {
  if ((row.flags & (EventFlag.redacted | EventFlag.outlier)) !== 0) return false
  const pdu = pduOfRow(row)
  return pdu.sender === userId && pdu.state_key === undefined && pdu.type !== 'm.room.redaction'
}

export function redactUserKind(engine: RoomEngine): JobKind {
  return {
    name: KIND,
    async run(work) {
      const [roomId, userId] = work.subject.split(' ') as [RoomId, UserId]
      const { by, reason } = work.input as { by: UserId; reason?: string }
      const content = reason === undefined ? {} : { reason }
      const redact = (redacts: EventId): Promise<unknown> =>
        sendEvent(engine, { roomId, type: 'm.room.redaction', sender: by, content, redacts })
      let { after = BEFORE_ALL, redacted = 0 } = work.progress as { after?: number; redacted?: number }
      const room = await findRoom(engine, roomId)
      if (room === undefined) throw new JobRefused('The room is gone')
      for (;;) {
        const { rows, last } = await findEventsOfSender(engine.db, room.roomNid, userId, after, STRETCH)
        if (last === undefined) return
        for (const row of rows.filter((one) => isRemovable(one, userId))) {
          await redact(row.event_id as EventId).catch(refusal)
          redacted++
          work.signal.throwIfAborted()
        }
        after = last
        await work.save({ after, redacted })
      }
    },
  }
}

/** What the room refuses now it will refuse later, too. */
function refusal(error: unknown): never {
  if (error instanceof MatrixError && error.status < 500) throw new JobRefused(error.message)
  throw error
}
