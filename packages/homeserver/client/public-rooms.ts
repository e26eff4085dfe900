// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms
import { Type } from 'typebox'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findPage, type DirectoryQuery } from '../directory/page.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson } from '../http/endpoint.ts'
import { parsedText } from '../http/schemas.ts'
import { v3 } from './paths.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

const server = Type.Optional(parsedText<ServerName>('a server name', isServerName))
const limit = Type.Optional(Type.Integer({ minimum: 0 }))

async function answer(
  hs: Homeserver,
  of: ServerName | undefined,
  query: Omit<DirectoryQuery, 'limit'> & { readonly limit: number | undefined },
): Promise<RawJson> {
  if (of !== undefined && of !== hs.serverName) {
    throw notFound(`The room directory of ${of} cannot be reached from here`)
  }
  const size = Math.min(Math.max(query.limit ?? DEFAULT_LIMIT, 1), MAX_LIMIT)
  const page = findPage(await hs.publicRooms.read(), { ...query, limit: size })
  const next = page.next === undefined ? '' : `,"next_batch":"${page.next}"`
  const previous = page.previous === undefined ? '' : `,"prev_batch":"${page.previous}"`
  const chunk = page.rooms.map((room) => room.json).join(',')
  return new RawJson(`{"chunk":[${chunk}]${next}${previous},"total_room_count_estimate":${page.total}}`)
}

export const getPublicRooms = defineEndpoint({
  operation: 'getPublicRooms',
  method: 'GET',
  ...v3('/publicRooms'),
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({ limit, since: Type.Optional(Type.String()), server }),
  run: (hs, { query }) =>
    answer(hs, query.server, {
      term: undefined,
      roomTypes: undefined,
      networkId: '',
      limit: query.limit,
      since: query.since,
    }),
})

export const queryPublicRooms = defineEndpoint({
  operation: 'queryPublicRooms',
  method: 'POST',
  ...v3('/publicRooms'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ server }),
  body: Type.Object({
    limit,
    since: Type.Optional(Type.String()),
    filter: Type.Optional(
      Type.Object({
        generic_search_term: Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()])),
        room_types: Type.Optional(
          Type.Union([Type.Array(Type.Union([Type.String(), Type.Null()]), { maxItems: 100 }), Type.Null()]),
        ),
      }),
    ),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.String()),
  }),
  run: (hs, { query, body }) => {
    const { include_all_networks: all = false, third_party_instance_id: instance } = body
    if (all && instance !== undefined) {
      throw invalidParam('Either include_all_networks or third_party_instance_id, not both')
    }
    return answer(hs, query.server, {
      term: body.filter?.generic_search_term ?? undefined,
      roomTypes: body.filter?.room_types ?? undefined,
      networkId: all ? undefined : (instance ?? ''),
      limit: body.limit,
      since: body.since,
    })
  },
})
