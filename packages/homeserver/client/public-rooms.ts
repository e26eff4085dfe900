// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms
import { Type } from 'typebox'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { fetchPublicRooms } from '../directory/fetch-public-rooms.ts'
import {
  publicRoomsBody,
  questionOf,
  readPublicRooms,
  type DirectoryQuestion,
} from '../directory/read-public-rooms.ts'
import { FederationError } from '../federation/federation-client.ts'
import { toClientError } from '../federation/to-client-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type RawJson } from '../http/endpoint.ts'
import { parsedText } from '../http/schemas.ts'
import { v3 } from './paths.ts'

const server = Type.Optional(parsedText<ServerName>('a server name', isServerName))
const limit = Type.Optional(Type.Integer({ minimum: 0 }))

/** Our own directory, or that of another server, which is asked. */
async function answer(
  hs: Homeserver,
  of: ServerName | undefined,
  question: DirectoryQuestion,
): Promise<RawJson | JsonObject> {
  if (of === undefined || of === hs.serverName) return readPublicRooms(hs, question)
  try {
    return await fetchPublicRooms(hs.federation.client, of, question)
  } catch (error) {
    throw error instanceof FederationError ? toClientError(error) : error
  }
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
  body: publicRoomsBody,
  run: (hs, { query, body }) => answer(hs, query.server, questionOf(body)),
})
