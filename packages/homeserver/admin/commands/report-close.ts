import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { closeReport } from '@causeway/store/tables/reports.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '<report>',
  summary: 'Take a report off the list: it was dealt with',
  input: Type.Object({ report: Type.String({ description: 'Its id, as report list shows it' }) }),
  run: async (hs, { report: id }) => {
    const result = await hs.db.commit({ entries: [], steps: [closeReport(id, hs.clock.now())] })
    if (!result.ok) throw notFound(`There is no open report ${id}`)
    return { report: id, closed: true }
  },
})
