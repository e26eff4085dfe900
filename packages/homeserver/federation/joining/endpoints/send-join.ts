// https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint, HttpResponse, type AnyEndpoint } from '../../../http/endpoint.ts'
import { jsonObject } from '../../../http/schemas.ts'
import { acceptMembership } from '../../../rooms/join/accept-membership.ts'
import { joinAnswer } from '../../../rooms/join/join-answer.ts'
import { eventParams } from './schemas.ts'

function sendJoin(operation: string, version: 'v1' | 'v2'): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'PUT',
    path: `/_matrix/federation/${version}/send_join/:roomId/:eventId`,
    auth: 'server',
    rateLimit: 'federation',
    params: eventParams,
    query: Type.Object({ omit_members: Type.Optional(Type.Boolean()) }),
    body: jsonObject,
    run: async (hs, { origin, params, query, body, signal }) => {
      const deps = { peers: hs.joining.peers, signer: hs.signer }
      const request = { ...params, membership: 'join', origin, json: body as JsonObject } as const
      const { room, pdu, stored } = await acceptMembership(hs.rooms, deps, request, signal)
      const isSecond = version === 'v2'
      const answer = await joinAnswer(hs.rooms, {
        room,
        join: stored,
        pdu,
        omitMembers: isSecond && query.omit_members === true,
        asPair: !isSecond,
      })
      return new HttpResponse({ status: 200, headers: { 'content-type': 'application/json' }, body: answer })
    },
  })
}

export const sendJoinV1 = sendJoin('sendJoinV1', 'v1')
export const sendJoinV2 = sendJoin('sendJoinV2', 'v2')
