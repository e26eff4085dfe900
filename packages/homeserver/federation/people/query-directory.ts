// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { aliasServerNameOf } from '@causeway/matrix/ids/room-alias.ts'
import { roomAliasText } from '../../client/schemas.ts'
import { lookUpLocalAlias } from '../../directory/look-up-alias.ts'
import { defineEndpoint } from '../../http/endpoint.ts'

export const queryRoomDirectory = defineEndpoint({
  operation: 'queryRoomDirectory',
  method: 'GET',
  path: '/_matrix/federation/v1/query/directory',
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ room_alias: roomAliasText }),
  run: async (hs, { query }) => {
    const { room_alias: alias } = query
    if (aliasServerNameOf(alias) !== hs.serverName) {
      throw invalidParam(`${alias} is no alias of ${hs.serverName}; ask its own server`)
    }
    const { roomId, servers } = await lookUpLocalAlias(hs, alias)
    return { room_id: roomId, servers: [...servers] }
  },
})
