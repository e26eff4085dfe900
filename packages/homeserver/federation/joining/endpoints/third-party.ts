// https://spec.matrix.org/v1.19/server-server-api/#third-party-invites
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { roomIdText } from './schemas.ts'
import { defineEndpoint } from '../../../http/endpoint.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { draftThirdPartyInvite, parseThirdPartyInvite } from '../../../rooms/join/third-party-invite.ts'
import { requireAllowedByAcl } from '../../../rooms/history/require-server.ts'
import { findRoom } from '../../../rooms/load-head.ts'
import { takeUpInvitation } from '../take-up-invitation.ts'

export const exchangeThirdPartyInvite = defineEndpoint({
  operation: 'exchangeThirdPartyInvite',
  method: 'PUT',
  path: '/_matrix/federation/v1/exchange_third_party_invite/:roomId',
  auth: 'server',
  rateLimit: 'federation',
  params: Type.Object({ roomId: roomIdText }),
  body: jsonObject,
  run: async (hs, { origin, params, body, signal }) => {
    const room = await findRoom(hs.rooms, params.roomId)
    if (room !== undefined) await requireAllowedByAcl(hs.rooms, room, origin)
    const invite = parseThirdPartyInvite(params.roomId, body as JsonObject)
    const built = await draftThirdPartyInvite(hs.rooms, invite)
    await hs.joining.sendInvite(params.roomId, built, signal)
    return {}
  },
})

/** Invitations that one binding of an address may take up. */
const MAX_INVITATIONS = 20

/** An identity server says that an address belongs to one of our users now, who was invited by it. */
export const onBindThirdPartyIdentifier = defineEndpoint({
  operation: 'onBindThirdPartyIdentifier',
  method: 'PUT',
  path: '/_matrix/federation/v1/3pid/onbind',
  auth: 'none',
  rateLimit: 'federation',
  body: Type.Object({
    mxid: Type.String(),
    invites: Type.Array(jsonObject, { maxItems: MAX_INVITATIONS }),
  }),
  run: async (hs, { body, signal }) => {
    const target = parseUserId(body.mxid)
    if (target === undefined || serverNameOf(target) !== hs.serverName) return {}
    for (const invite of body.invites as JsonObject[]) {
      const { room_id: roomId, sender, signed } = invite
      const from: UserId | undefined = typeof sender === 'string' ? parseUserId(sender) : undefined
      if (!isRoomId(roomId) || from === undefined || !isJsonObject(signed)) continue
      await takeUpInvitation(hs, { roomId, sender: from, target, signed }, signal).catch((error: unknown) =>
        hs.logger.info('an invitation by address could not be taken up', {
          room: roomId,
          user: target,
          error,
        }),
      )
    }
    return {}
  },
})
