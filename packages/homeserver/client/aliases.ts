// https://spec.matrix.org/v1.19/client-server-api/#room-aliases
import { Type } from 'typebox'
import type { RoomAlias, RoomId } from '@causeway/matrix/ids/ids.ts'
import { aliasServerNameOf } from '@causeway/matrix/ids/room-alias.ts'
import { MatrixError, forbidden, invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteAlias, findAlias, insertAlias, listAliases } from '@causeway/store/tables/aliases.ts'
import { checkAliasClaim } from '../appservice/claims.ts'
import { lookUpAlias } from '../directory/look-up-alias.ts'
import { removeFromCanonicalAlias } from '../directory/remove-from-canonical-alias.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { isWorldReadable, maySendState } from '../rooms/newest-state.ts'
import { v3 } from './paths.ts'
import { requireAccess } from './room-access.ts'
import { roomAliasText, roomIdText, roomParams } from './schemas.ts'

const aliasParams = Type.Object({ roomAlias: roomAliasText })
const PATH = '/directory/room/:roomAlias'

/** Aliases of other servers are theirs to give. */
function requireOwn(hs: Homeserver, alias: RoomAlias): void {
  if (aliasServerNameOf(alias) === hs.serverName) return
  throw invalidParam(`Aliases of this server end in :${hs.serverName}`)
}

export const setRoomAlias = defineEndpoint({
  operation: 'setRoomAlias',
  method: 'PUT',
  ...v3(PATH),
  auth: 'user',
  rateLimit: 'message',
  params: aliasParams,
  body: Type.Object({ room_id: roomIdText }),
  run: async (hs, { session, params, body }) => {
    const { roomAlias } = params
    requireOwn(hs, roomAlias)
    checkAliasClaim(hs.appservices.registry, roomAlias, session.appserviceId)
    const { roomNid } = await requireMember(hs, session, body.room_id)
    const step = insertAlias(roomAlias, body.room_id, session.userId)
    const result = await hs.log.append({ entries: [], steps: [step] })
    if (result.ok) {
      hs.appservices.aliasesChanged(roomNid)
      return {}
    }
    throw new MatrixError('M_ROOM_IN_USE', `The alias ${roomAlias} is taken; choose another`, { status: 409 })
  },
})

/** Administrators and appservices name rooms that they are not in. */
async function requireMember(hs: Homeserver, session: Session, roomId: RoomId): Promise<RoomInfo> {
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined) throw notFound('This server does not know this room')
  if (session.isAdmin || session.appserviceId !== undefined) return room
  const rooms = await hs.rooms.members.roomsOf(session.userId)
  if (!rooms.joined.has(roomId)) throw forbidden('You are not in this room; join it first')
  return room
}

export const getRoomIdByAlias = defineEndpoint({
  operation: 'getRoomIdByAlias',
  method: 'GET',
  ...v3(PATH),
  auth: 'none',
  rateLimit: 'read',
  params: aliasParams,
  run: async (hs, { params }) => {
    const { roomId, servers } = await lookUpAlias(hs, params.roomAlias)
    return { room_id: roomId, servers: [...servers] }
  },
})

export const deleteRoomAlias = defineEndpoint({
  operation: 'deleteRoomAlias',
  method: 'DELETE',
  ...v3(PATH),
  auth: 'user',
  rateLimit: 'message',
  params: aliasParams,
  run: async (hs, { session, params }) => {
    const { roomAlias } = params
    const found = await findAlias(hs.db, roomAlias)
    if (found === undefined) throw notFound(`There is no alias ${roomAlias} on this server`)
    checkAliasClaim(hs.appservices.registry, roomAlias, session.appserviceId)
    const room = await findRoom(hs.rooms, found.roomId as RoomId)
    const may =
      session.isAdmin ||
      found.creator === session.userId ||
      (room !== undefined && (await maySendState(hs.rooms, room, session.userId, 'm.room.canonical_alias')))
    if (!may)
      throw forbidden(
        'Only who made this alias, or has the power to change the room’s address, may remove it',
      )
    const result = await hs.log.append({ entries: [], steps: [deleteAlias(roomAlias)] })
    if (!result.ok) throw notFound(`There is no alias ${roomAlias} on this server`)
    if (room === undefined) return {}
    hs.appservices.aliasesChanged(room.roomNid)
    if (session.isShadowBanned !== true)
      await removeFromCanonicalAlias(hs.rooms, room, roomAlias, session.userId)
    return {}
  },
})

export const getLocalAliases = defineEndpoint({
  operation: 'getLocalAliases',
  method: 'GET',
  ...v3('/rooms/:roomId/aliases'),
  also: [
    ...v3('/rooms/:roomId/aliases').also,
    '/_matrix/client/unstable/org.matrix.msc2432/rooms/:roomId/aliases',
  ],
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { session, params }) => {
    const { room, membership } = await requireAccess(hs.rooms, session, params.roomId)
    if (membership !== 'join' && !(await isWorldReadable(hs.rooms, room))) {
      throw forbidden('You are not in this room')
    }
    return { aliases: await listAliases(hs.db, params.roomId) }
  },
})
