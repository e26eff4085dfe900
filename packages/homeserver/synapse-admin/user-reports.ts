// https://element-hq.github.io/synapse/latest/admin_api/user_reports.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import {
  deleteReportOfKind,
  findReportOfKind,
  listReportsOfKind,
  type ReportRow,
} from '@causeway/store/tables/reports.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, nextFrom, pageQuery, partOfId, readPageWanted } from './pages.ts'

const path = '/v1/user_reports'
const Params = Type.Object({ reportId: Type.Integer({ minimum: 0 }) })

function viewReport(row: ReportRow): JsonObject {
  return {
    id: row.number,
    received_ts: row.created_ts,
    target_user_id: row.user_id,
    user_id: row.reporter,
    reason: row.reason,
  }
}

/** All of them, also those that were closed on the command line, so that places in the list stay what they are. */
export const synapseListUserReports = defineAdminRequest({
  operation: 'synapseListUserReports',
  method: 'GET',
  path,
  query: Type.Object({
    ...pageQuery,
    dir: dirQuery,
    user_id: partOfId,
    target_user_id: partOfId,
  }),
  run: async (hs, { query }) => {
    const page = readPageWanted(query)
    const { rows, total } = await listReportsOfKind(hs.db, {
      ...page,
      kind: 'user',
      reporter: query.user_id,
      userId: query.target_user_id,
      newestFirst: query.dir !== 'f',
    })
    const next = nextFrom(page, rows.length, total)
    return {
      user_reports: rows.map(viewReport),
      ...(next === undefined ? {} : { next_token: next }),
      total,
    }
  },
})

export const synapseGetUserReport = defineAdminRequest({
  operation: 'synapseGetUserReport',
  method: 'GET',
  path: `${path}/:reportId`,
  params: Params,
  run: async (hs, { params }) => {
    const row = await findReportOfKind(hs.db, 'user', params.reportId)
    if (row === undefined) throw notFound('User report not found')
    return viewReport(row)
  },
})

export const synapseDeleteUserReport = defineAdminRequest({
  operation: 'synapseDeleteUserReport',
  method: 'DELETE',
  path: `${path}/:reportId`,
  params: Params,
  run: async (hs, { params }) => {
    const result = await hs.db.commit({ entries: [], steps: [deleteReportOfKind('user', params.reportId)] })
    if (!result.ok) throw notFound('User report not found')
    return {}
  },
})
