import { Type } from 'typebox'
import { isUsable, listRegistrationTokens } from '@causeway/store/tables/registration-tokens.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List registration tokens, used up and expired ones too',
  input: Type.Object({}),
  run: async (hs) => {
    const tokens = await listRegistrationTokens(hs.db)
    return tokens.map((one) => ({
      token: one.token,
      used: `${one.usesCompleted}/${one.usesAllowed ?? '∞'}`,
      expires: one.expiresTs === undefined ? 'never' : new Date(one.expiresTs).toISOString(),
      admin: one.makesAdmin,
      usable: isUsable(one, hs.clock.now()),
    }))
  },
})
