import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { memberContent } from '../rooms/member-content.ts'
import type { SendInput } from '../rooms/send.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { requireJoined } from './own-user.ts'

// What a shadow-banned user asks for is answered as if it had been done. They come and go as others do, so that what
// rooms show of who is in them is right; all else that would reach others is dropped: messages, state, redactions,
// invitations, typing, a new name in the rooms, reasons, the public directory.
// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#controlling-whether-a-user-is-shadow-banned

/** As long as the hash that an event's id is. */
const HASH_LENGTH = 43

/** The id of an event that there is not. */
export function pretendEventId({ random }: Pick<Homeserver, 'random'>): EventId {
  return `$${random.token(HASH_LENGTH)}` as EventId
}

/** The id of a room that there is not. */
export function pretendRoomId({ random }: Pick<Homeserver, 'random'>): RoomId {
  return `!${random.token(HASH_LENGTH)}` as RoomId
}

/**
 * As `sendOnce`, but that nothing is sent: under one transaction id there is one answer. Throws `M_FORBIDDEN` for who is
 * not in the room.
 */
export function pretendOnce(
  hs: Homeserver,
  session: Session,
  roomId: RoomId,
  { txnId, path }: { readonly txnId: string; readonly path: string },
): Promise<JsonObject> {
  return hs.transactions.once({ session, method: 'PUT', path, txnId }, async (record) => {
    await requireJoined(hs, session, roomId)
    const answer = { event_id: pretendEventId(hs) }
    const result = await hs.db.commit({ entries: [], steps: [record({ answer })] })
    if (!result.ok) throw new CompanionRefused(result.step, result.reason)
    return answer
  })
}

const COMING_OR_GOING: ReadonlySet<unknown> = new Set(['leave', 'knock', 'ban'])

/** What is left of a state event that a shadow-banned user sends: of a membership itself; undefined for all else. */
export async function comingOrGoing(
  hs: Homeserver,
  { roomId, type, sender, content }: SendInput,
): Promise<JsonObject | undefined> {
  const { membership } = content
  if (type !== 'm.room.member') return undefined
  if (COMING_OR_GOING.has(membership)) return { membership: membership! }
  const { joined } = await hs.rooms.members.roomsOf(sender)
  // Of who is there already it would be another name.
  if (membership !== 'join' || joined.has(roomId)) return undefined
  return memberContent('join', (await readMemberProfiles(hs, [sender]))(sender))
}

/** The reason that others may read for what somebody does to a membership. */
export function reasonFor(
  { isShadowBanned }: Session,
  { reason }: { readonly reason?: string | undefined },
): string | undefined {
  return isShadowBanned === true ? undefined : reason
}
