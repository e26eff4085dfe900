import { Type } from 'typebox'
import { deactivateAccount } from '../../accounts/deactivate.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'End an account for good: its devices are logged out and its name stays taken',
  input: Type.Object({
    user: userOption,
    erase: Type.Optional(
      Type.Boolean({ description: 'Also hide what the person wrote from people who join later' }),
    ),
  }),
  run: async (hs, { user, erase = false }) => {
    const userId = readLocalUser(hs, user)
    await deactivateAccount(hs, userId, erase)
    return { user_id: userId, deactivated: true }
  },
})
