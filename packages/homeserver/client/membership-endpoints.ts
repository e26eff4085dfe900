// https://spec.matrix.org/v1.19/client-server-api/#room-membership
import { Type, type Static } from 'typebox'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { badJson } from '@causeway/matrix/errors/matrix-error.ts'
import { ensureUserThroughAppservice } from '../appservice/query.ts'
import { defineEndpoint, type AnyEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import type { MembershipAction } from '../rooms/membership.ts'
import { change, type Change } from './change-membership.ts'
import { InviteAddress, inviteAddress, readAskedAddress } from './invite-address.ts'
import { locateRoom, viaQuery } from './locate-room.ts'
import { requireJoined } from './own-user.ts'
import { v3 } from './paths.ts'
import { reasonFor } from './pretend.ts'
import { reasonText, roomIdOrAliasText, roomParams, userIdText } from './schemas.ts'

const ReasonBody = Type.Object({ reason: reasonText })
/** Further keys go into the membership event, as clients have come to rely on. */
const JoinBody = Type.Object({
  reason: reasonText,
  third_party_signed: Type.Optional(
    Type.Object({ sender: userIdText, mxid: Type.String(), token: Type.String(), signatures: jsonObject }),
  ),
})
const TargetBody = Type.Object({ user_id: userIdText, reason: reasonText })

/** What a join's body asks for beside its reason. */
function joinChange(roomId: RoomId, session: Session, body: Static<typeof JoinBody>): Change {
  const { reason, third_party_signed: signed, ...content } = session.isShadowBanned ? {} : body
  const join: Change = {
    roomId,
    action: 'join',
    sender: session.userId,
    target: session.userId,
    isGuest: session.isGuest,
    reason,
    ...(signed === undefined ? {} : { signed: signed as JsonObject & typeof signed }),
  }
  return Object.keys(content).length === 0 ? join : { ...join, content }
}

/** Somebody with the power to do so acts on another: kick, ban, unban. */
function actOnOther(operation: string, action: MembershipAction): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'POST',
    ...v3(`/rooms/:roomId/${action}`),
    auth: 'user',
    rateLimit: 'message',
    params: roomParams,
    body: TargetBody,
    run: async (hs, { session, params, body, signal }): Promise<JsonObject> => {
      const { user_id: target } = body
      const reason = reasonFor(session, body)
      await change(hs, { roomId: params.roomId, action, sender: session.userId, target, reason }, signal)
      return {}
    },
  })
}

const InviteBody = Type.Object({
  ...InviteAddress.properties,
  user_id: Type.Optional(userIdText),
  reason: reasonText,
})
/** What tells that an address is invited, and no user. */
const OF_ADDRESSES = ['id_server', 'id_access_token', 'medium', 'address'] as const

/** Two operations of one address: of a user (`inviteUser`), and of an e-mail address (`inviteBy3PID`). */
export const inviteUser = defineEndpoint({
  operation: 'inviteUser',
  method: 'POST',
  ...v3('/rooms/:roomId/invite'),
  auth: 'user',
  rateLimit: 'invite',
  params: roomParams,
  body: InviteBody,
  run: async (hs, { session, params, body, signal }) => {
    const { roomId } = params
    const { user_id: target, reason } = body
    const sender = session.userId
    if (session.isShadowBanned === true) await requireJoined(hs, session, roomId)
    else if (target !== undefined) {
      await ensureUserThroughAppservice(hs, target)
      await change(hs, { roomId, action: 'invite', sender, target, reason }, signal)
    } else if (OF_ADDRESSES.some((key) => body[key] !== undefined)) {
      await inviteAddress(hs, { roomId, sender, asked: readAskedAddress(hs, body) }, signal)
    } else throw badJson('"user_id" is missing')
    return {}
  },
})
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
  run: async (hs, { session, params, body, signal }) => {
    const { roomId } = params
    await change(hs, joinChange(roomId, session, body), signal)
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
  query: viaQuery,
  body: JoinBody,
  run: async (hs, { session, params, query, body, signal }) => {
    const { roomId, via } = await locateRoom(hs, params.roomIdOrAlias, query)
    await change(hs, { ...joinChange(roomId, session, body), via }, signal)
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
  run: async (hs, { session, params, body, signal }) => {
    const { userId } = session
    const { roomId } = params
    const reason = reasonFor(session, body)
    await change(hs, { roomId, action: 'leave', sender: userId, target: userId, reason }, signal)
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
  query: viaQuery,
  body: ReasonBody,
  run: async (hs, { session, params, query, body, signal }) => {
    const { userId } = session
    const { roomId, via } = await locateRoom(hs, params.roomIdOrAlias, query)
    const reason = reasonFor(session, body)
    await change(hs, { roomId, action: 'knock', sender: userId, target: userId, reason, via }, signal)
    return { room_id: roomId }
  },
})
