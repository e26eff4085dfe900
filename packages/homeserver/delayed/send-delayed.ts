import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import {
  finaliseDelayedEvent,
  keepMade,
  type DelayedEventRow,
} from '@causeway/store/tables/delayed-events.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import type { MadeOnce } from '../federation/joining/invite-remote-user.ts'
import type { Homeserver } from '../homeserver.ts'
import { userLocked, userSuspended } from '../http/account-standing.ts'
import { findEvent } from '../rooms/read-events.ts'
import { sendEvent, type SendInput } from '../rooms/send.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { setState } from '../sending/set-state.ts'

/** What sending needs. */
export type SendingDeps = Parameters<typeof setState>[0] & Pick<Homeserver, 'clock'>

export interface SendOptions {
  /** Only if it is still scheduled for this time, not restarted meanwhile. */
  readonly sendTs?: number
  readonly signal?: AbortSignal
}

/**
 * Sends a delayed event as its sender, and notes that in the same commit: whatever happens, it is sent once. Throws
 * what sending it at once would throw, and `CompanionRefused` when it is not scheduled (for that time) any more.
 */
export async function sendDelayed(
  hs: SendingDeps,
  row: DelayedEventRow,
  { sendTs, signal }: SendOptions = {},
): Promise<void> {
  const { isShadowBanned } = await requireStanding(hs, row.user_id)
  if (isShadowBanned) return dropDelayed(hs, row, sendTs)
  let written: EventId | undefined
  const input: SendInput = {
    roomId: row.room_id as RoomId,
    type: row.type,
    sender: row.user_id as UserId,
    content: JSON.parse(row.content) as JsonObject,
    ...(row.origin_ts === null ? {} : { originServerTs: row.origin_ts }),
    ...(row.sticky_ms === null ? {} : { stickyMs: row.sticky_ms }),
    isDelayed: true,
    companions: (eventId, eventNid) => {
      written = eventId
      return { steps: [finaliseDelayedEvent(row.delay_id, hs.clock.now(), { eventNid }, sendTs)] }
    },
  }
  const { state_key: stateKey } = row
  const eventId =
    stateKey === null
      ? await sendEvent(hs.rooms, input)
      : await setState(hs, { ...input, stateKey }, signal, madeOnce(hs, row, sendTs))
  if (written !== eventId) await noteSent(hs, row, eventId)
}

/** What another server signs is written down before it is asked: asked again, it is asked for the same event. */
function madeOnce({ db }: SendingDeps, row: DelayedEventRow, sendTs: number | undefined): MadeOnce {
  return {
    made: row.made,
    async keep(json) {
      const result = await db.commit({ entries: [], steps: [keepMade(row.delay_id, json, sendTs)] })
      if (!result.ok) throw new CompanionRefused(result.step, result.reason)
    },
  }
}

/** State that says so already, or an invitation that the room had already: sent, but in no write of ours with the note. */
async function noteSent(
  { rooms, db, clock }: SendingDeps,
  row: DelayedEventRow,
  eventId: EventId,
): Promise<void> {
  const eventNid = (await findEvent(rooms, eventId))?.nid ?? 0
  await db.commit({ entries: [], steps: [finaliseDelayedEvent(row.delay_id, clock.now(), { eventNid })] })
}

/** What a shadow-banned user had sent later ends as if it had been cancelled. */
async function dropDelayed(
  { db, clock }: SendingDeps,
  { delay_id: delayId }: DelayedEventRow,
  sendTs: number | undefined,
): Promise<void> {
  const step = finaliseDelayedEvent(delayId, clock.now(), {}, sendTs)
  const result = await db.commit({ entries: [], steps: [step] })
  if (!result.ok) throw new CompanionRefused(result.step, result.reason)
}

/** What an account may not do now was not permitted by its being scheduled before. */
async function requireStanding(
  { db }: SendingDeps,
  userId: string,
): Promise<{ readonly isShadowBanned: boolean }> {
  const user = await findUser(db, userId)
  // Application services speak for a user that may have no account.
  if (user === undefined) return { isShadowBanned: false }
  if (user.deactivatedTs !== 0) throw new MatrixError('M_USER_DEACTIVATED', 'This account has ended')
  if (user.isLocked) throw userLocked()
  if (user.isSuspended) throw userSuspended()
  return user
}
