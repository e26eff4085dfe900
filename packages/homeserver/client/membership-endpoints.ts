// https://spec.matrix.org/v1.19/client-server-api/#room-membership
import { Type } from 'typebox'
import type { RoomAlias, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { ensureUserThroughAppservice } from '../appservice/query.ts'
import { lookUpAlias } from '../directory/look-up-alias.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type AnyEndpoint, type Session } from '../http/endpoint.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { changeMembership, type MembershipAction } from '../rooms/membership.ts'
import { v3 } from './paths.ts'
import { reasonText, roomIdOrAliasText, roomParams, userIdText } from './schemas.ts'

const ReasonBody = Type.Object({ reason: reasonText })
/** Further keys go into the membership event, as clients have come to rely on. */
const JoinBody = Type.Object({ reason: reasonText, third_party_signed: Type.Optional(Type.Unknown()) })
const TargetBody = Type.Object({ user_id: userIdText, reason: reasonText })

interface Change {
  readonly roomId: RoomId
  readonly action: MembershipAction
  readonly target: UserId
  readonly reason: string | undefined
  readonly content?: JsonObject
}

async function change(
  hs: Homeserver,
  session: Session,
  { roomId, action, target, reason, content }: Change,
): Promise<void> {
  const showsProfile = action === 'join' || action === 'invite'
  const profile = showsProfile ? (await readMemberProfiles(hs, [target]))(target) : {}
  const base = { roomId, action, sender: session.userId, target, reason, profile }
  await changeMembership(hs.rooms, content === undefined ? base : { ...base, content })
}

/** What a join's body asks for beside its reason. */
function joinChange(
  roomId: RoomId,
  session: Session,
  body: { reason?: string; third_party_signed?: unknown },
): Change {
  const { reason, third_party_signed: _, ...content } = body as JsonObject
  const join: Change = {
    roomId,
    action: 'join',
    target: session.userId,
    reason: reason as string | undefined,
  }
  return Object.keys(content).length === 0 ? join : { ...join, content }
}

/** The room an id or an alias stands for. Throws `M_NOT_FOUND` for an alias that nobody has claimed. */
export async function resolveRoom(hs: Homeserver, idOrAlias: RoomId | RoomAlias): Promise<RoomId> {
  if (idOrAlias.startsWith('!')) return idOrAlias as RoomId
  return (await lookUpAlias(hs, idOrAlias as RoomAlias)).roomId
}

/** Somebody with the power to do so acts on another: invite, kick, ban, unban. */
function actOnOther(operation: string, action: MembershipAction): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'POST',
    ...v3(`/rooms/:roomId/${action}`),
    auth: 'user',
    rateLimit: action === 'invite' ? 'invite' : 'message',
    params: roomParams,
    body: TargetBody,
    run: async (hs, { session, params, body }): Promise<JsonObject> => {
      if (action === 'invite') await ensureUserThroughAppservice(hs, body.user_id)
      await change(hs, session, { roomId: params.roomId, action, target: body.user_id, reason: body.reason })
      return {}
    },
  })
}

export const inviteUser = actOnOther('inviteUser', 'invite')
export const kick = actOnOther('kick', 'kick')
export const ban = actOnOther('ban', 'ban')
export const unban = actOnOther('unban', 'unban')

export const joinRoomById = defineEndpoint({
  operation: 'joinRoomById',
  method: 'POST',
  ...v3('/rooms/:roomId/join'),
  auth: 'user',
  rateLimit: 'join',
  params: roomParams,
  body: JoinBody,
  run: async (hs, { session, params, body }) => {
    const { roomId } = params
    await change(hs, session, joinChange(roomId, session, body))
    return { room_id: roomId }
  },
})

export const joinRoom = defineEndpoint({
  operation: 'joinRoom',
  method: 'POST',
  ...v3('/join/:roomIdOrAlias'),
  auth: 'user',
  rateLimit: 'join',
  params: Type.Object({ roomIdOrAlias: roomIdOrAliasText }),
  body: JoinBody,
  run: async (hs, { session, params, body }) => {
    const roomId = await resolveRoom(hs, params.roomIdOrAlias)
    await change(hs, session, joinChange(roomId, session, body))
    return { room_id: roomId }
  },
})

export const leaveRoom = defineEndpoint({
  operation: 'leaveRoom',
  method: 'POST',
  ...v3('/rooms/:roomId/leave'),
  auth: 'user',
  params: roomParams,
  body: ReasonBody,
  run: async (hs, { session, params, body }) => {
    await change(hs, session, {
      roomId: params.roomId,
      action: 'leave',
      target: session.userId,
      reason: body.reason,
    })
    return {}
  },
})

export const knockRoom = defineEndpoint({
  operation: 'knockRoom',
  method: 'POST',
  ...v3('/knock/:roomIdOrAlias'),
  auth: 'user',
  rateLimit: 'join',
  params: Type.Object({ roomIdOrAlias: roomIdOrAliasText }),
  body: ReasonBody,
  run: async (hs, { session, params, body }) => {
    const roomId = await resolveRoom(hs, params.roomIdOrAlias)
    await change(hs, session, { roomId, action: 'knock', target: session.userId, reason: body.reason })
    return { room_id: roomId }
  },
})
