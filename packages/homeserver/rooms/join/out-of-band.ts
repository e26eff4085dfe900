import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteStrippedState, STRIPPED_STATES } from '@causeway/store/tables/stripped-states.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { persistEvents, roomSettled } from '../persist.ts'
import { findEvent } from '../read-events.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { beginWrite } from '../room-write.ts'
import { addOutlier } from './install-state.ts'
import { newHead } from './new-head.ts'

/** A membership of a user of ours in a room that we are not in: invited, knocking, out again. */
export interface OutOfBand {
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  readonly pdu: VerifiedPdu
  /** What others told of the room with it; undefined: what was told before is not needed any more. */
  readonly stripped: readonly JsonObject[] | undefined
  /** Whether it is to be kept, asked when nobody else can write of the room any more; else always. */
  readonly holds?: () => Promise<boolean>
}

/**
 * Keeps a membership beside the graph of a room whose state we do not hold, and tells the user of it. The room is
 * known from then on, without a state. Resolves once it is durable; with undefined when it does not hold, or somebody of
 * ours is in the room, who will learn of the event as of every other.
 */
export function storeOutOfBand(engine: RoomEngine, input: OutOfBand): Promise<StoredEvent | undefined> {
  const { roomId, rules, pdu, stripped, holds } = input
  const { event } = pdu
  // The queue is held until the write is durable, as by the installation of a room that may follow at once.
  return engine.queue.serial(roomId, async () => {
    // Who of ours is in the room is known once their joins are durable.
    await roomSettled(engine, roomId)
    const head = (await findHead(engine, roomId)) ?? newHead(engine, roomId, rules)
    if ((await engine.members.localMembers(head.roomNid)).size > 0) return undefined
    const held = await findEvent(engine, event.eventId)
    if (held !== undefined) return held
    if (holds !== undefined && !(await holds())) return undefined
    const write = beginWrite(head)
    addOutlier(write, pdu, [], 'log')
    const { stored } = write.events[0]!
    const userId = stored.stateKey as UserId
    const before = (await engine.members.roomsOf(userId)).byId.get(roomId)?.membership
    const membership = stored.content['membership'] as Membership
    write.memberChanges = [{ userId, before, membership, event: stored }]
    write.steps.push(
      stripped === undefined
        ? deleteStrippedState(head.roomNid, userId)
        : { into: STRIPPED_STATES, values: [head.roomNid, userId, JSON.stringify(stripped)] },
    )
    const result = await persistEvents(engine, write).settled
    if (!result.ok) throw new MatrixError('M_UNKNOWN', 'The membership could not be stored; try again')
    return stored
  })
}
