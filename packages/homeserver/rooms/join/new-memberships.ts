import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import { unpackStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { MemberChange } from '@causeway/store/log/entry.ts'
import type { MembershipRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../engine.ts'
import { findEvents } from '../read-events.ts'
import type { CheckedRoom } from './check-answer.ts'

/** Memberships of users of ours that a whole state tells of, and that we did not know. Its events are held. */
export async function newMembershipsOfOurs(
  engine: RoomEngine,
  { state }: CheckedRoom,
  known: readonly MembershipRow[],
): Promise<MemberChange[]> {
  const users = new Set(known.map((row) => row.user_id))
  const ids = [...state].flatMap(([key, { event }]): EventId[] => {
    const [type, userId] = unpackStateKey(key)
    if (type !== 'm.room.member' || users.has(userId)) return []
    return isOf(engine.serverName, userId) ? [event.eventId] : []
  })
  return [...(await findEvents(engine, ids)).values()].map((event) => ({
    userId: event.stateKey as UserId,
    before: undefined,
    membership: event.content['membership'] as Membership,
    event,
  }))
}

function isOf(serverName: ServerName, userId: string): boolean {
  return serverNameOf(userId as UserId) === serverName
}
