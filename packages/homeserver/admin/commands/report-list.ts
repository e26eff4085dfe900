import { Type } from 'typebox'
import { listReports } from '@causeway/store/tables/reports.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List what people have reported, the newest first',
  input: Type.Object({
    closed: Type.Optional(Type.Boolean({ description: 'Those that were dealt with, instead' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'How many at most; default 50' }),
    ),
  }),
  run: async (hs, { closed, limit }) => {
    const reports = await listReports(hs.db, { isOpen: closed !== true, limit: limit ?? 50 })
    return reports.map((one) => ({
      report: one.report_id,
      at: new Date(one.created_ts).toISOString(),
      reporter: one.reporter,
      about: one.event_id || one.room_id || one.user_id,
      user: one.user_id,
      room: one.room_id,
      reason: one.reason,
    }))
  },
})
