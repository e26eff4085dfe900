import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { PushVerdict } from '@causeway/matrix/push-rules/evaluate.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { isShown } from '../rooms/read-events.ts'
import { threadOf } from '../rooms/relation.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { filterVisible } from '../rooms/visibility.ts'
import { createEvaluator } from '../unread/evaluate-event.ts'
import { MAIN } from '../unread/event-steps.ts'
import { readPositions } from '../unread/read-positions.ts'
import type { PushRules } from '../user-data/push-rules.ts'
import { hiddenInvitesOf, isInviteHidden } from '../rooms/invite-permissions.ts'

export interface JudgeDeps {
  readonly rooms: RoomEngine
  readonly pushRules: Pick<PushRules, 'of'>
}

/** What a user's rules say about an event they are to be told of; undefined: they are not. */
export type Judge = (event: StoredEvent) => Promise<PushVerdict | undefined>

/** Judges events of one room for one user, by their rules and what they have read up to now. */
export async function createJudge(
  { rooms, pushRules }: JudgeDeps,
  userId: UserId,
  room: RoomInfo,
  userRoom: UserRoom,
): Promise<Judge> {
  const [{ compiled }, ignored, read] = await Promise.all([
    pushRules.of(userId),
    rooms.ignored.of(userId),
    readPositions(rooms, userId, [userRoom]),
  ])
  const verdictOf = createEvaluator(rooms, room, compiled)
  const readUpTo = read.get(room.roomNid)!
  const isRead = ({ nid, content }: StoredEvent): boolean => nid <= readUpTo(threadOf(content) ?? MAIN)
  return async (event) => {
    const isInvitation = userRoom.membership === 'invite' && event.nid === userRoom.eventNid
    if (ignored.includes(event.sender) || (event.flags & EventFlag.redacted) !== 0) return undefined
    // Of an invitation from elsewhere nothing but itself is held.
    if (!isInvitation && (!isShown(event) || isRead(event))) return undefined
    const verdict = await verdictOf(event)
    if (!verdict.notify) return undefined
    if (isInvitation) {
      return isInviteHidden(await hiddenInvitesOf(rooms, userId), event.sender) ? undefined : verdict
    }
    const visible = await filterVisible(rooms, room, userId, [event])
    return visible.length === 0 ? undefined : verdict
  }
}
