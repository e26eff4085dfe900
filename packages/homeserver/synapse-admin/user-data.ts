// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { listAllAccountData } from '@causeway/store/tables/account-data.ts'
import { listPushersOfUser } from '@causeway/store/tables/pushers.ts'
import { listMembershipsOfUser } from '@causeway/store/tables/rooms.ts'
import { viewPusher } from '../push/view-pusher.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

/** Also of users of other servers, as far as rooms of this one tell. */
export const synapseJoinedRooms = defineAdminRequest({
  operation: 'synapseJoinedRooms',
  method: 'GET',
  path: '/v1/users/:userId/joined_rooms',
  params: UserParams,
  run: async (hs, { params }) => {
    const all = await listMembershipsOfUser(hs.db, params.userId)
    const rooms = all.filter(({ membership }) => membership === 'join').map((row) => row.room_id)
    return { joined_rooms: rooms, total: rooms.length }
  },
})

export const synapseMemberships = defineAdminRequest({
  operation: 'synapseMemberships',
  method: 'GET',
  path: '/v1/users/:userId/memberships',
  params: UserParams,
  run: async (hs, { params }) => {
    const all = await listMembershipsOfUser(hs.db, params.userId)
    return { memberships: Object.fromEntries(all.map((row) => [row.room_id, row.membership])) }
  },
})

export const synapseAccountData = defineAdminRequest({
  operation: 'synapseAccountData',
  method: 'GET',
  path: '/v1/users/:userId/accountdata',
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const rows = await listAllAccountData(hs.db, userId)
    const byRoom = Map.groupBy(rows, (row) => row.room_id)
    const contentsOf = (some: typeof rows = []): JsonObject =>
      Object.fromEntries(some.map(({ type, content }) => [type, parseJsonObject(content)]))
    const rooms = [...byRoom].flatMap(([room, some]) => (room === null ? [] : [[room, contentsOf(some)]]))
    return {
      account_data: {
        global: contentsOf(byRoom.get(null)),
        rooms: Object.fromEntries(rooms) as JsonObject,
      },
    }
  },
})

/** There are no features that single accounts could be given. */
export const synapseExperimentalFeatures = defineAdminRequest({
  operation: 'synapseExperimentalFeatures',
  method: 'GET',
  path: '/v1/experimental_features/:userId',
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    return { features: {} }
  },
})

export const synapsePushers = defineAdminRequest({
  operation: 'synapsePushers',
  method: 'GET',
  path: '/v1/users/:userId/pushers',
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const pushers = await listPushersOfUser(hs.db, userId)
    return { pushers: pushers.map(viewPusher), total: pushers.length }
  },
})
