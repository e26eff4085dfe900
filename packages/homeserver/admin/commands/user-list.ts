import { Type } from 'typebox'
import { listUsers } from '@causeway/store/tables/users.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List accounts in the order of their names',
  input: Type.Object({
    after: Type.Optional(Type.String({ description: 'Begin behind this user id' })),
    limit: Type.Optional(Type.Integer({ description: 'How many', minimum: 1, maximum: 1000, default: 100 })),
  }),
  run: async (hs, { after = '', limit = 100 }) => {
    const users = await listUsers(hs.db, after, limit)
    return users.map((user) => ({
      user_id: user.userId,
      created: new Date(user.createdTs).toISOString(),
      admin: user.isAdmin,
      state:
        user.deactivatedTs > 0
          ? 'deactivated'
          : user.isLocked
            ? 'locked'
            : user.isSuspended
              ? 'suspended'
              : 'active',
    }))
  },
})
