// https://element-hq.github.io/synapse/latest/admin_api/statistics.html#get-largest-rooms-by-size-in-database
import { listLargestRooms } from '@causeway/store/tables/overview.ts'
import { defineAdminRequest } from './admin-request.ts'

const ROOMS = 10

/** Unlike with Synapse, on both databases. */
export const synapseLargestRooms = defineAdminRequest({
  operation: 'synapseLargestRooms',
  method: 'GET',
  path: '/v1/statistics/database/rooms',
  run: async ({ db }) => {
    const rooms = await listLargestRooms(db, ROOMS)
    return { rooms: rooms.map(({ roomId, bytes }) => ({ room_id: roomId, estimated_size: bytes })) }
  },
})
