// https://spec.matrix.org/v1.19/server-server-api/#leaving-rooms-rejecting-invites
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint, RawJson, type AnyEndpoint } from '../../../http/endpoint.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { acceptMembership } from '../../../rooms/join/accept-membership.ts'
import { eventParams } from './schemas.ts'

function sendLeave(operation: string, version: 'v1' | 'v2'): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'PUT',
    path: `/_matrix/federation/${version}/send_leave/:roomId/:eventId`,
    auth: 'server',
    rateLimit: 'federation',
    params: eventParams,
    body: jsonObject,
    run: async (hs, { origin, params, body, signal }) => {
      const deps = { peers: hs.joining.peers, signer: hs.signer }
      const request = { ...params, membership: 'leave', origin, json: body as JsonObject } as const
      await acceptMembership(hs.rooms, deps, request, signal)
      return new RawJson(version === 'v1' ? '[200,{}]' : '{}')
    },
  })
}

export const sendLeaveV1 = sendLeave('sendLeaveV1', 'v1')
export const sendLeaveV2 = sendLeave('sendLeaveV2', 'v2')
