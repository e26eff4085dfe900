import { Type } from 'typebox'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { listRoomOverviews } from '@causeway/store/tables/overview.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { defineAdminCommand } from '../command.ts'
import { describeState } from '../describe-room.ts'
import { readRoom } from '../local-room.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List rooms in the order in which this server came to know them',
  input: Type.Object({
    after: Type.Optional(Type.String({ description: 'Begin behind this room' })),
    limit: Type.Optional(Type.Integer({ description: 'How many', minimum: 1, maximum: 1000, default: 100 })),
  }),
  run: async (hs, { after, limit = 100 }) => {
    const from = after === undefined ? 0 : (await readRoom(hs, after)).roomNid
    const rows = await listRoomOverviews(hs.db, from, limit)
    const rooms = []
    for (const row of rows) {
      const { name, alias } = await describeState(hs, await getRoomByNid(hs.rooms, row.nid), [
        'name',
        'alias',
      ])
      rooms.push({
        room_id: row.room_id as RoomId,
        name: name ?? null,
        alias: alias ?? null,
        version: row.room_version,
        joined: row.joined,
        from_here: row.joined_local,
      })
    }
    return rooms
  },
})
