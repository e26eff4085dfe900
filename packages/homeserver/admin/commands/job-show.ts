import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'

export const command = defineAdminCommand({
  usage: '<job>',
  summary: 'Show how far a job has got',
  input: Type.Object({ job: Type.String({ description: 'Its id, as job list shows it' }) }),
  run: async (hs, { job: id }) => {
    const job = await findJob(hs.db, id)
    if (job === undefined) throw notFound(`There is no job ${id}; finished ones are forgotten after a month`)
    return viewJob(job)
  },
})
