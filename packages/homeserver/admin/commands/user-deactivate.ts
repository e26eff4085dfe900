import { Type } from 'typebox'
import { findOpenJob } from '@causeway/store/tables/jobs.ts'
import { deactivateAccount } from '../../accounts/deactivate.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'End an account for good: its devices are logged out and its name stays taken',
  input: Type.Object({
    user: userOption,
    erase: Type.Optional(
      Type.Boolean({
        description: 'Also remove everything the person left here, what they said in rooms too',
      }),
    ),
  }),
  run: async (hs, { user, erase = false }) => {
    const userId = readLocalUser(hs, user)
    await deactivateAccount(hs, userId, erase)
    const job = erase ? await findOpenJob(hs.db, 'erase_user', userId) : undefined
    return { user_id: userId, deactivated: true, ...(job === undefined ? {} : viewJob(job)) }
  },
})
