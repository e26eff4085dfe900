import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { setStanding } from '../../accounts/administer.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser, userOption } from '../local-user.ts'

const NAMES = ['admin', 'locked', 'suspended', 'shadowBanned'] as const

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'Make somebody an administrator, lock, suspend or shadow-ban an account; --no-… takes it back',
  input: Type.Object({
    user: userOption,
    admin: Type.Optional(Type.Boolean({ description: 'May administer this server' })),
    locked: Type.Optional(Type.Boolean({ description: 'May do nothing until unlocked' })),
    suspended: Type.Optional(Type.Boolean({ description: 'May read and leave, but not write' })),
    shadowBanned: Type.Optional(
      Type.Boolean({ description: 'What they say reaches nobody, and they are not told' }),
    ),
  }),
  run: async (hs, { user, ...wanted }) => {
    const userId = readLocalUser(hs, user)
    const standings = NAMES.filter((name) => wanted[name] !== undefined)
    if (standings.length === 0)
      throw invalidParam('Say what to set: --admin, --locked, --suspended or --shadow-banned')
    for (const name of standings) await setStanding(hs, userId, name, wanted[name] === true)
    return { user_id: userId, ...Object.fromEntries(standings.map((name) => [name, wanted[name] === true])) }
  },
})
