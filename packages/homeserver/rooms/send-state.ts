import type { EventId, RoomAlias, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, badJson } from '@causeway/matrix/errors/matrix-error.ts'
import { parseRoomAlias } from '@causeway/matrix/ids/room-alias.ts'
import { isUserId } from '@causeway/matrix/ids/user-id.ts'
import { findAlias } from '@causeway/store/tables/aliases.ts'
import type { Database } from '@causeway/store/db/database.ts'
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
 * Sends a state event for a client. Aliases must exist and point at the room; memberships go the same way as
 * through their own operations, so that restricted joins are vouched for here too.
 * Throws `M_BAD_ALIAS`, and what `sendEvent` throws.
 */
export async function sendState(
  hs: { readonly rooms: RoomEngine; readonly db: Database },
  input: SendInput & { readonly stateKey: string },
): Promise<EventId> {
  if (input.type === 'm.room.canonical_alias') await checkAliases(hs, input)
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

async function checkAliases(hs: { readonly db: Database }, { content, roomId }: SendInput): Promise<void> {
  const { alias, alt_aliases: others = [] } = content
  if (!Array.isArray(others))
    throw new MatrixError('M_INVALID_PARAM', 'alt_aliases must be a list of aliases')
  // Absent, empty and null all say that the room has none.
  const named = [...(alias === undefined || alias === null || alias === '' ? [] : [alias]), ...others]
  for (const text of named) {
    const parsed: RoomAlias | undefined = typeof text === 'string' ? parseRoomAlias(text) : undefined
    if (parsed === undefined)
      throw new MatrixError('M_INVALID_PARAM', `${JSON.stringify(text)} is no room alias`)
    const found = await findAlias(hs.db, parsed)
    if (found?.roomId !== roomId)
      throw new MatrixError('M_BAD_ALIAS', `${parsed} does not point at this room`)
  }
}
