import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, badJson } from '@causeway/matrix/errors/matrix-error.ts'
import { isUserId } from '@causeway/matrix/ids/user-id.ts'
import type { RoomEngine } from './engine.ts'
import { sendEvent, type SendInput } from './send.ts'
import { changeMembership, type MembershipAction } from './membership.ts'

const ACTION_OF: Readonly<Record<string, MembershipAction>> = {
  join: 'join',
  invite: 'invite',
  ban: 'ban',
  knock: 'knock',
}

/**
 * Sends a state event for a client. Memberships go the same way as through their own operations, so that restricted
 * joins are vouched for here too. Throws what `sendEvent` throws.
 */
export async function sendState(
  hs: { readonly rooms: RoomEngine },
  input: SendInput & { readonly stateKey: string },
): Promise<EventId> {
  if (input.type === 'm.room.create') throw badJson('A room has one create event, and it has it already')
  const action = input.type === 'm.room.member' ? membershipAction(input) : undefined
  if (action === undefined) return sendEvent(hs.rooms, input)
  const { membership: _, ...content } = input.content
  const eventId = await changeMembership(hs.rooms, {
    roomId: input.roomId,
    action,
    sender: input.sender,
    target: input.stateKey as UserId,
    content,
    ...(input.isDelayed === undefined ? {} : { isDelayed: input.isDelayed }),
    ...(input.companions === undefined ? {} : { companions: input.companions }),
  })
  if (eventId === undefined) throw badJson('This membership changes nothing')
  return eventId
}

/** Only what needs more than authorisation: a join may need somebody to vouch for it. */
function membershipAction({ content, stateKey, sender }: SendInput): MembershipAction | undefined {
  const membership = content['membership']
  if (typeof membership !== 'string') throw badJson('m.room.member needs a membership')
  if (!isUserId(stateKey ?? ''))
    throw new MatrixError(
      'M_INVALID_PARAM',
      'The state key of m.room.member is a user id, such as @user:server',
    )
  return membership === 'join' && stateKey === sender ? ACTION_OF[membership] : undefined
}
