import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { membershipBefore } from '../rooms/membership-before.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import type { SyncContext } from './context.ts'

/**
 * Whether the reader came into a room after a position: then it is told as if it were the first time.
 * @param recent the room's events since then, when they are in memory
 */
export async function joinedSince(
  { hs, session }: Pick<SyncContext, 'hs' | 'session'>,
  userRoom: UserRoom,
  since: number,
  recent: readonly StoredEvent[] | undefined,
): Promise<boolean> {
  if (userRoom.eventNid <= since) return false
  const { userId } = session
  const isOwn = (event: StoredEvent): boolean => event.type === 'm.room.member' && event.stateKey === userId
  const own = recent?.filter(isOwn) ?? [...(await findEventsByNid(hs.rooms, [userRoom.eventNid])).values()]
  for (const event of own) {
    const before = await membershipBefore(hs.rooms, event)
    // A change of name is a join after a join.
    if (before !== 'join' && event.content['membership'] === 'join') return true
  }
  return false
}
