// https://spec.matrix.org/v1.19/server-server-api/#third-party-invites
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { roomIdText } from './schemas.ts'
import { defineEndpoint } from '../../../http/endpoint.ts'
import type { Homeserver } from '../../../homeserver.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { parseThirdPartyInvite } from '../../../rooms/join/third-party-invite.ts'
import { requireAllowedByAcl } from '../../../rooms/history/require-server.ts'
import { findRoom } from '../../../rooms/load-head.ts'
import { completeInvitation } from '../complete-invitation.ts'

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
    await completeInvitation(hs, invite, signal)
    return {}
  },
})

/** Invitations that one binding of an address may take up. */
const MAX_INVITATIONS = 20

/** Takes up what can be. Throws `M_UNKNOWN` (502) when another attempt could do more. */
async function takeUp(
  hs: Pick<Homeserver, 'joining' | 'logger'>,
  target: UserId,
  invites: readonly JsonObject[],
  signal: AbortSignal,
): Promise<void> {
  let passing: MatrixError | undefined
  for (const { room_id: roomId, sender, signed } of invites) {
    const from: UserId | undefined = typeof sender === 'string' ? parseUserId(sender) : undefined
    if (!isRoomId(roomId) || from === undefined || !isJsonObject(signed)) continue
    try {
      await hs.joining.takeUpInvitation({ roomId, sender: from, target, signed }, signal)
    } catch (error) {
      hs.logger.info('an invitation by address could not be taken up', { room: roomId, user: target, error })
      if (error instanceof MatrixError && error.status >= 500) passing = error
    }
  }
  if (passing !== undefined) throw passing
}

/**
 * An identity server says that an address belongs to one of our users now, who was invited by it. It asks again for what
 * failed for a passing reason.
 */
function onBind(method: 'PUT' | 'POST') {
  return defineEndpoint({
    operation: 'onBindThirdPartyIdentifier',
    method,
    path: '/_matrix/federation/v1/3pid/onbind',
    auth: 'none',
    rateLimit: 'federation',
    body: Type.Object({
      mxid: Type.String(),
      invites: Type.Optional(Type.Array(jsonObject, { maxItems: MAX_INVITATIONS })),
    }),
    run: async (hs, { body, signal }) => {
      const target = parseUserId(body.mxid)
      if (target === undefined || serverNameOf(target) !== hs.serverName) return {}
      await takeUp(hs, target, (body.invites ?? []) as JsonObject[], signal)
      return {}
    },
  })
}

export const onBindThirdPartyIdentifier = onBind('PUT')
/** What identity servers send in fact: Sydent does, and Synapse takes nothing else. */
export const onBindThirdPartyIdentifierByPost = onBind('POST')
