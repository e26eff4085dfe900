import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { RelationScope } from '@causeway/store/tables/relations.ts'
import type { RoomEngine } from './engine.ts'
import { isWorldReadable } from './newest-state.ts'
import { BEGINNING, END } from './read-events.ts'
import type { RoomInfo } from './stored-event.ts'
import { lastJoinedNid } from './visibility.ts'

/**
 * Which relations of a room may be counted for a reader without asking each event: all for members, those up to
 * the end of their last stay for others, unless the room is readable for everybody.
 */
export async function relationScope(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
): Promise<RelationScope> {
  const joinedUntil = await lastJoinedNid(engine, room, userId)
  const isOpen = joinedUntil !== Number.POSITIVE_INFINITY && (await isWorldReadable(engine, room))
  const before = isOpen ? END : Math.min(END, Math.max(BEGINNING, joinedUntil))
  return { roomNid: room.roomNid, before, ignored: await engine.ignored.of(userId) }
}
