// https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid
import { Type } from 'typebox'
import { forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { publishNetworkRoom, unpublishNetworkRoom } from '@causeway/store/tables/appservices.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { findRoom } from '../rooms/load-head.ts'
import { v3 } from './paths.ts'
import { roomIdText } from './schemas.ts'

export const updateAppserviceRoomDirectoryVisibility = defineEndpoint({
  operation: 'updateAppserviceRoomDirectoryVisibility',
  method: 'PUT',
  ...v3('/directory/list/appservice/:networkId/:roomId'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ networkId: Type.String({ minLength: 1, maxLength: 255 }), roomId: roomIdText }),
  body: Type.Object({ visibility: Type.Union([Type.Literal('public'), Type.Literal('private')]) }),
  run: async ({ appservices, rooms, db }, { session, params, body }) => {
    const { appserviceId } = session
    if (appserviceId === undefined) throw forbidden('Only application services may do this')
    if (appservices.registry.byId.get(appserviceId)?.protocols.includes(params.networkId) !== true) {
      throw forbidden(
        `The registration of this application service does not list the protocol ${params.networkId}`,
      )
    }
    const room = await findRoom(rooms, params.roomId)
    if (room === undefined) throw notFound('This server does not know this room')
    const step =
      body.visibility === 'public'
        ? publishNetworkRoom(params.networkId, room.roomNid, appserviceId)
        : unpublishNetworkRoom(params.networkId, room.roomNid, appserviceId)
    await db.commit({ entries: [], steps: [step] })
    return {}
  },
})
