import { Type } from 'typebox'
import { createUser } from '../../accounts/administer.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '<username>',
  summary: 'Make an account, whatever the registration mode is',
  input: Type.Object({
    username: Type.String({ description: 'The part before the colon, such as alice' }),
    password: Type.Optional(
      Type.String({
        description: '"-" reads it from standard input; without it one is made and shown',
        'x-secret': true,
      }),
    ),
    admin: Type.Optional(Type.Boolean({ description: 'Make it an administrator of this server' })),
  }),
  run: async (hs, { username, password: chosen, admin = false }) => {
    const password = chosen ?? hs.random.token(24)
    const userId = await createUser(hs, { username, password, isAdmin: admin })
    return { user_id: userId, admin, ...(chosen === undefined ? { password } : {}) }
  },
})
