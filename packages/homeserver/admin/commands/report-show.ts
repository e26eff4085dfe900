import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { findReport } from '@causeway/store/tables/reports.ts'
import { findEvent } from '../../rooms/read-events.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '<report>',
  summary: 'Show a report with the event that it is about, as it is now',
  input: Type.Object({ report: Type.String({ description: 'Its id, as report list shows it' }) }),
  run: async (hs, { report: id }) => {
    const report = await findReport(hs.db, id)
    if (report === undefined) throw notFound(`There is no report ${id}`)
    const event = report.event_id === '' ? undefined : await findEvent(hs.rooms, report.event_id as EventId)
    return {
      report: id,
      kind: report.kind,
      at: new Date(report.created_ts).toISOString(),
      reporter: report.reporter,
      reason: report.reason,
      ...(report.room_id === '' ? {} : { room: report.room_id }),
      ...(report.user_id === '' ? {} : { user: report.user_id }),
      ...(report.event_id === '' ? {} : { event: report.event_id }),
      ...(event === undefined
        ? {}
        : { type: event.type, sent: new Date(event.originServerTs).toISOString(), content: event.content }),
      closed: report.closed_ts === 0 ? 'no' : new Date(report.closed_ts).toISOString(),
    }
  },
})
