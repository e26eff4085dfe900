import { Type } from 'typebox'
import { revokeRegistrationToken } from '../../accounts/administer.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '<token>',
  summary: 'Withdraw a registration token; accounts made with it stay',
  input: Type.Object({ token: Type.String({ description: 'As invitation list shows it' }) }),
  run: async (hs, { token }) => {
    await revokeRegistrationToken(hs, token)
    return { token, revoked: true }
  },
})
