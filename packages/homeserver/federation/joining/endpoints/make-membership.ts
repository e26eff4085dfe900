// https://spec.matrix.org/v1.19/server-server-api/#joining-rooms
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint, type AnyEndpoint } from '../../../http/endpoint.ts'
import { makeTemplate, type RemoteMembership } from '../../../rooms/join/make-template.ts'
import { templateParams } from './schemas.ts'

/** Servers of before room versions name none: they know version 1. */
const BEFORE_VERSIONS = ['1']

function makeMembership(operation: string, membership: RemoteMembership): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'GET',
    path: `/_matrix/federation/v1/make_${membership}/:roomId/:userId`,
    auth: 'server',
    rateLimit: 'federation',
    params: templateParams,
    query: Type.Object({ ver: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })) }),
    run: async (hs, { origin, params, query }) => {
      const versions = membership === 'leave' ? undefined : (query.ver ?? BEFORE_VERSIONS)
      const template = await makeTemplate(hs.rooms, {
        ...params,
        membership,
        origin,
        ...(versions === undefined ? {} : { versions }),
      })
      return template as unknown as JsonObject
    },
  })
}

export const makeJoin = makeMembership('makeJoin', 'join')
export const makeLeave = makeMembership('makeLeave', 'leave')
export const makeKnock = makeMembership('makeKnock', 'knock')
