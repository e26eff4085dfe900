import { Type } from 'typebox'
import { changePassword } from '../../accounts/change-password.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'Give an account a new password and log its devices out',
  input: Type.Object({
    user: userOption,
    password: Type.Optional(
      Type.String({
        description: '"-" reads it from standard input; without it one is made and shown',
        'x-secret': true,
      }),
    ),
    keepDevices: Type.Optional(Type.Boolean({ description: 'Leave devices logged in' })),
  }),
  run: async (hs, { user, password: chosen, keepDevices = false }) => {
    const userId = readLocalUser(hs, user)
    const password = chosen ?? hs.random.token(24)
    await changePassword(hs, userId, password, { keepDevices })
    return { user_id: userId, ...(chosen === undefined ? { password } : {}) }
  },
})
