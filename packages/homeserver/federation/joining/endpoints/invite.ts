// https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room
import { Type } from 'typebox'
import type { JsonObject, JsonValue, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Homeserver } from '../../../homeserver.ts'
import { defineEndpoint, RawJson } from '../../../http/endpoint.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { requireUnblocked } from '../../../moderation/blocked-rooms.ts'
import { receiveInvite } from '../../../rooms/join/receive-invite.ts'
import { requireInvitable } from '../require-invitable.ts'
import { eventParams, MAX_INVITE_BYTES } from './schemas.ts'

interface Invite {
  readonly roomId: RoomId
  readonly eventId: EventId
  readonly origin: ServerName
  readonly roomVersion: string
  readonly event: JsonObject
  readonly roomState: JsonValue | undefined
}

async function take(hs: Homeserver, invite: Invite, signal: AbortSignal): Promise<Pdu> {
  await requireUnblocked(hs, invite.roomId)
  const deps = {
    peers: hs.joining.peers,
    signer: hs.signer,
    requireInvitable: requireInvitable(hs),
  }
  return receiveInvite(hs.rooms, deps, invite, signal)
}

export const sendInviteV2 = defineEndpoint({
  operation: 'sendInviteV2',
  method: 'PUT',
  path: '/_matrix/federation/v2/invite/:roomId/:eventId',
  auth: 'server',
  rateLimit: 'federation',
  params: eventParams,
  body: Type.Object({
    room_version: Type.String(),
    event: jsonObject,
    invite_room_state: Type.Optional(Type.Unknown()),
  }),
  maxBodyBytes: MAX_INVITE_BYTES,
  run: async (hs, { origin, params, body, signal }) => {
    const event = await take(
      hs,
      {
        ...params,
        origin,
        roomVersion: body.room_version,
        event: body.event as JsonObject,
        roomState: body.invite_room_state as JsonValue | undefined,
      },
      signal,
    )
    return { event: event as unknown as JsonObject }
  },
})

/** Of before room versions could be told: the room is of version 1 or 2, whose events look the same. */
export const sendInviteV1 = defineEndpoint({
  operation: 'sendInviteV1',
  method: 'PUT',
  path: '/_matrix/federation/v1/invite/:roomId/:eventId',
  auth: 'server',
  rateLimit: 'federation',
  params: eventParams,
  body: jsonObject,
  maxBodyBytes: MAX_INVITE_BYTES,
  run: async (hs, { origin, params, body, signal }) => {
    const { unsigned } = body as JsonObject
    const roomState = isJsonObject(unsigned) ? unsigned['invite_room_state'] : undefined
    const invite = { ...params, origin, roomVersion: '1', event: body as JsonObject, roomState }
    return new RawJson(JSON.stringify([200, { event: await take(hs, invite, signal) }]))
  },
})
