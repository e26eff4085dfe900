// https://element-hq.github.io/synapse/latest/admin_api/rooms.html, …/room_membership.html
import { Type } from 'typebox'
import { blockRoom, findRoomBlock, unblockRoom } from '@causeway/store/tables/blocked-rooms.ts'
import { change } from '../client/change-membership.ts'
import { locateRoom, viaQuery } from '../client/locate-room.ts'
import { userIdText } from '../client/schemas.ts'
import { findRoom } from '../rooms/load-head.ts'
import { defineAdminRequest } from './admin-request.ts'
import { needsInvitation, RoomOrAliasParams, RoomParams, requireRoomOrAlias } from './known-room.ts'
import { requireAccount } from './local-account.ts'
import { makeRoomAdmin } from './make-room-admin.ts'

export const synapseGetRoomBlock = defineAdminRequest({
  operation: 'synapseGetRoomBlock',
  method: 'GET',
  path: '/v1/rooms/:roomId/block',
  params: RoomParams,
  run: async (hs, { params }) => {
    const by = await findRoomBlock(hs.db, params.roomId)
    return by === undefined ? { block: false } : { block: true, user_id: by }
  },
})

/** Also of rooms that this server does not know yet. */
export const synapseSetRoomBlock = defineAdminRequest({
  operation: 'synapseSetRoomBlock',
  method: 'PUT',
  path: '/v1/rooms/:roomId/block',
  params: RoomParams,
  body: Type.Object({ block: Type.Boolean() }),
  run: async (hs, { session, params: { roomId }, body: { block } }) => {
    const step = block ? blockRoom(roomId, session.userId, hs.clock.now()) : unblockRoom(roomId)
    await hs.db.commit({ entries: [], steps: [step] })
    return { block }
  },
})

/** Has an account come into a room; where that takes an invitation, the administrator gives it, who has to be there. */
export const synapseJoinRoom = defineAdminRequest({
  operation: 'synapseJoinRoom',
  method: 'POST',
  path: '/v1/join/:roomIdOrAlias',
  params: RoomOrAliasParams,
  query: viaQuery,
  body: Type.Object({ user_id: userIdText }),
  run: async (hs, { session, params, query, body: { user_id: target }, signal }) => {
    await requireAccount(hs, target)
    const { roomId, via } = await locateRoom(hs, params.roomIdOrAlias, query)
    const room = await findRoom(hs.rooms, roomId)
    if (room !== undefined && target !== session.userId && (await needsInvitation(hs, room, target)))
      await change(hs, { roomId, action: 'invite', sender: session.userId, target }, signal)
    await change(hs, { roomId, action: 'join', sender: target, target, via }, signal)
    return { room_id: roomId }
  },
})

export const synapseMakeRoomAdmin = defineAdminRequest({
  operation: 'synapseMakeRoomAdmin',
  method: 'POST',
  path: '/v1/rooms/:roomIdOrAlias/make_room_admin',
  params: RoomOrAliasParams,
  body: Type.Object({ user_id: Type.Optional(userIdText) }),
  run: async (hs, { session, params, body, signal }) => {
    const room = await requireRoomOrAlias(hs, params.roomIdOrAlias)
    await makeRoomAdmin(hs, room, body.user_id ?? session.userId, signal)
    return {}
  },
})
