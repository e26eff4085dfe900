// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { isOpen, isVisibleToUser } from '../rooms/space/summary-access.ts'
import { shownToClients, summarizeRoom, type RoomSummary } from '../rooms/space/summary.ts'
import { locateRoom, viaQuery } from './locate-room.ts'
import { v1 } from './paths.ts'
import { serversOf } from './room-servers.ts'
import { roomIdOrAliasText } from './schemas.ts'

/**
 * As others tell of a room that nobody of ours is in. Only for those who are logged in: a stranger does not make us ask
 * other servers.
 */
async function askOthers(
  hs: Homeserver,
  roomId: RoomId,
  userId: UserId | undefined,
  via: readonly string[],
): Promise<RoomSummary | undefined> {
  if (userId === undefined) return undefined
  const servers = await serversOf(hs, roomId, userId, via)
  return (await hs.remoteSpaces.find(roomId, servers))?.room
}

/** Whoever is not logged in is told of rooms that are open to everybody. */
async function mayBeTold(hs: Homeserver, userId: UserId | undefined, room: RoomSummary): Promise<boolean> {
  return userId === undefined ? isOpen(room) : isVisibleToUser(hs.rooms, userId, room)
}

async function membershipIn(hs: Homeserver, userId: UserId, roomId: RoomId): Promise<string> {
  return (await hs.rooms.members.roomsOf(userId)).byId.get(roomId)?.membership ?? 'leave'
}

export const getRoomSummary = defineEndpoint({
  operation: 'getRoomSummary',
  method: 'GET',
  ...v1(
    '/room_summary/:roomIdOrAlias',
    '/im.nheko.summary/summary/:roomIdOrAlias',
    '/im.nheko.summary/rooms/:roomIdOrAlias/summary',
  ),
  auth: 'optional',
  rateLimit: 'read',
  params: Type.Object({ roomIdOrAlias: roomIdOrAliasText }),
  query: viaQuery,
  run: async (hs, { session, params, query }): Promise<JsonObject> => {
    const userId = session?.userId
    const { roomId, via } = await locateRoom(hs, params.roomIdOrAlias, query)
    const room = (await summarizeRoom(hs.rooms, roomId)) ?? (await askOthers(hs, roomId, userId, via))
    if (room === undefined || !(await mayBeTold(hs, userId, room))) {
      throw notFound('There is no such room that you may be told of')
    }
    return {
      ...shownToClients(room),
      ...(userId === undefined ? {} : { membership: await membershipIn(hs, userId, roomId) }),
    }
  },
})
