import { MatrixError, forbidden, notFound, tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { exceedsBytes, MAX_EVENT_BYTES } from '@causeway/matrix/json/limits.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  findNextSendOf,
  findSurplus,
  forgetFinalisedOf,
  insertDelayedEvent,
  requireFewerScheduled,
} from '@causeway/store/tables/delayed-events.ts'
import type { Homeserver } from '../homeserver.ts'
import { checkDraft, checkStateKey } from '../rooms/check-draft.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { delayedLimits } from './delayed-options.ts'

/** An event, and how much later it is to be sent. */
export interface ScheduleInput {
  readonly roomId: RoomId
  readonly type: string
  readonly stateKey?: string
  readonly sender: UserId
  readonly content: JsonObject
  readonly originServerTs?: number
  readonly stickyMs?: number
  readonly delayMs: number
}

type Deps = Pick<Homeserver, 'config' | 'db' | 'clock' | 'random' | 'rooms' | 'delayed'>

/** Of those that ended, somebody is told of so many. */
const KEPT_FINALISED = 1_000

/**
 * Has an event sent later; answers by which id it is known until then. Whether its sender may send it is asked when it
 * is sent: here only whether they are in the room. Throws `M_FORBIDDEN` for too long a delay, `M_LIMIT_EXCEEDED` where
 * too many are scheduled, and what an event cannot be. https://github.com/matrix-org/matrix-spec-proposals/pull/4140
 * @param record the step that records the answer of a transaction; refused when it was given before (`CompanionRefused`)
 */
export async function scheduleEvent(
  hs: Deps,
  input: ScheduleInput,
  record?: (answer: { readonly answer: JsonObject }) => Step,
): Promise<JsonObject> {
  const limits = delayedLimits(hs.config.delayed_events)
  if (limits === undefined) throw forbidden('This server sends no events later')
  if (input.delayMs > limits.maxDelayMs) {
    throw forbidden(`Events can be sent at most ${limits.maxDelayMs} milliseconds later`)
  }
  const room = await requirePlausible(hs, input)
  const answer = { delay_id: hs.random.token(32) }
  const now = hs.clock.now()
  const recorded = record === undefined ? [] : [record({ answer })]
  const surplus = await findSurplus(hs.db, input.sender, KEPT_FINALISED)
  const steps = [
    ...recorded,
    requireFewerScheduled(input.sender, limits.maxScheduled),
    insertDelayedEvent({
      delay_id: answer.delay_id,
      user_id: input.sender,
      room_nid: room.roomNid,
      type: input.type,
      state_key: input.stateKey ?? null,
      content: JSON.stringify(input.content),
      origin_ts: input.originServerTs ?? null,
      delay_ms: input.delayMs,
      since_ts: now,
      sticky_ms: input.stickyMs ?? null,
    }),
    ...(surplus === undefined ? [] : [forgetFinalisedOf(input.sender, surplus)]),
  ]
  const result = await hs.db.commit({ entries: [], steps })
  if (!result.ok) {
    if (result.step < recorded.length) throw new CompanionRefused(result.step, result.reason)
    throw await tooMany(hs, input.sender, limits.maxScheduled)
  }
  hs.delayed.expect(now + input.delayMs)
  return answer
}

/** Refuses what could never be sent, and who is not in the room. */
async function requirePlausible(hs: Deps, input: ScheduleInput): Promise<RoomInfo> {
  checkDraft(input)
  const room = await findRoom(hs.rooms, input.roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${input.roomId}`)
  checkStateKey(room.rules, input)
  const { joined } = await hs.rooms.members.roomsOf(input.sender)
  if (input.type !== 'm.room.member' && !joined.has(input.roomId)) {
    throw forbidden(`You are not in the room ${input.roomId}; join it first`)
  }
  if (exceedsBytes(canonicalJson(input.content, room.rules.strictCanonicalJson), MAX_EVENT_BYTES)) {
    throw tooLarge(`An event may have at most ${MAX_EVENT_BYTES} bytes`)
  }
  return room
}

/** There is room again when the next one has been sent. */
async function tooMany(hs: Deps, userId: UserId, limit: number): Promise<MatrixError> {
  const next = await findNextSendOf(hs.db, userId)
  const wait = Math.max(1, (next ?? 0) - hs.clock.now())
  return new MatrixError(
    'M_LIMIT_EXCEEDED',
    `You have ${limit} events scheduled, which is all that this server lets you; cancel one, or wait until one is sent`,
    { extra: { retry_after_ms: wait } },
  )
}
