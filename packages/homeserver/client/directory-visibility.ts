// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid
import { Type } from 'typebox'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isPublished, publishRoom, unpublishRoom } from '@causeway/store/tables/directory.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { findRoom } from '../rooms/load-head.ts'
import { maySendState } from '../rooms/newest-state.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { v3 } from './paths.ts'
import { roomParams } from './schemas.ts'

const PATH = '/directory/list/room/:roomId'

async function requireRoom(hs: Homeserver, roomId: RoomId): Promise<RoomInfo> {
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined) throw notFound('This server does not know this room')
  return room
}

export const getRoomVisibilityOnDirectory = defineEndpoint({
  operation: 'getRoomVisibilityOnDirectory',
  method: 'GET',
  ...v3(PATH),
  auth: 'none',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { params }) => {
    const { roomNid } = await requireRoom(hs, params.roomId)
    return { visibility: (await isPublished(hs.db, roomNid)) ? 'public' : 'private' }
  },
})

export const setRoomVisibilityOnDirectory = defineEndpoint({
  operation: 'setRoomVisibilityOnDirectory',
  method: 'PUT',
  ...v3(PATH),
  auth: 'user',
  rateLimit: 'message',
  params: roomParams,
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
  }),
  run: async (hs, { session, params, body }) => {
    const room = await requireRoom(hs, params.roomId)
    // Who speaks for the room by its main address may also say that it is listed.
    const may =
      session.isAdmin || (await maySendState(hs.rooms, room, session.userId, 'm.room.canonical_alias'))
    if (!may) throw forbidden('Listing a room takes the power to change its main address')
    if (session.isShadowBanned === true) return {}
    const step = body.visibility === 'private' ? unpublishRoom(room.roomNid) : publishRoom(room.roomNid)
    await hs.log.append({ entries: [], steps: [step] })
    hs.publicRooms.changed()
    return {}
  },
})
