import { Type } from 'typebox'
import { listFinishedJobs, listOpenJobs } from '@causeway/store/tables/jobs.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List work that takes long: what is to be done, and with --finished what is done',
  input: Type.Object({
    finished: Type.Optional(Type.Boolean({ description: 'Also of the last month, newest first' })),
    limit: Type.Optional(Type.Integer({ description: 'How many', minimum: 1, maximum: 1000, default: 100 })),
  }),
  run: async (hs, { finished = false, limit = 100 }) => {
    const open = await listOpenJobs(hs.db, limit)
    const ended = finished ? await listFinishedJobs(hs.db, limit) : []
    return [...open, ...ended].map(viewJob)
  },
})
