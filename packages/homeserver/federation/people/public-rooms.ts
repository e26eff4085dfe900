// https://spec.matrix.org/v1.19/server-server-api/#published-room-directory
import { Type } from 'typebox'
import { publicRoomsBody, questionOf, readPublicRooms } from '../../directory/read-public-rooms.ts'
import { defineEndpoint } from '../../http/endpoint.ts'

const PATH = '/_matrix/federation/v1/publicRooms'

export const getPublicRooms = defineEndpoint({
  operation: 'getPublicRoomsOverFederation',
  method: 'GET',
  path: PATH,
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String()),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.String()),
  }),
  run: (hs, { query }) => readPublicRooms(hs, questionOf(query)),
})

export const queryPublicRooms = defineEndpoint({
  operation: 'queryPublicRoomsOverFederation',
  method: 'POST',
  path: PATH,
  auth: 'server',
  rateLimit: 'federation',
  body: publicRoomsBody,
  run: (hs, { body }) => readPublicRooms(hs, questionOf(body)),
})
