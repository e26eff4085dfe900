// https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint } from '../../../http/endpoint.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { acceptMembership } from '../../../rooms/join/accept-membership.ts'
import { strippedPdus } from '../../../rooms/join/stripped-room.ts'
import { eventParams } from './schemas.ts'

export const sendKnock = defineEndpoint({
  operation: 'sendKnock',
  method: 'PUT',
  path: '/_matrix/federation/v1/send_knock/:roomId/:eventId',
  auth: 'server',
  rateLimit: 'federation',
  params: eventParams,
  body: jsonObject,
  run: async (hs, { origin, params, body, signal }) => {
    const deps = { peers: hs.joining.peers, signer: hs.signer }
    const request = { ...params, membership: 'knock', origin, json: body as JsonObject } as const
    await acceptMembership(hs.rooms, deps, request, signal)
    const state = await strippedPdus(hs.rooms, params.roomId, undefined)
    return { knock_room_state: state }
  },
})
