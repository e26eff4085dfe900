import { Type } from 'typebox'
import { listMembers } from '@causeway/store/tables/overview.ts'
import { defineAdminCommand } from '../command.ts'
import { readRoom, roomOption } from '../local-room.ts'

export const command = defineAdminCommand({
  usage: '<room>',
  summary: 'List who is in a room',
  input: Type.Object({
    room: roomOption,
    membership: Type.Optional(
      Type.Enum(['join', 'invite', 'knock', 'leave', 'ban'], {
        description: 'Others than those who are in it',
        default: 'join',
      }),
    ),
    after: Type.Optional(Type.String({ description: 'Begin behind this user id' })),
    limit: Type.Optional(
      Type.Integer({ description: 'How many', minimum: 1, maximum: 10_000, default: 500 }),
    ),
  }),
  run: async (hs, { room: text, membership = 'join', after = '', limit = 500 }) => {
    const { roomNid } = await readRoom(hs, text)
    const rows = await listMembers(hs.db, roomNid, membership, after, limit)
    return rows.map((row) => ({
      user_id: row.user_id,
      membership: row.membership,
      from_here: row.is_local === 1,
    }))
  },
})
