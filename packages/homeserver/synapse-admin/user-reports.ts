// https://element-hq.github.io/synapse/latest/admin_api/user_reports.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ReportRow } from '@causeway/store/tables/reports.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, pageQuery, partOfId, readPageWanted } from './pages.ts'
import { listReports, singleReportRequests } from './report-requests.ts'

const path = '/v1/user_reports'

function viewReport(row: ReportRow): JsonObject {
  return {
    id: row.number,
    received_ts: row.created_ts,
    target_user_id: row.user_id,
    user_id: row.reporter,
    reason: row.reason,
  }
}

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
  run: (hs, { query }) => {
    const filter = { reporter: query.user_id, userId: query.target_user_id }
    const asked = { page: readPageWanted(query), dir: query.dir, filter }
    return listReports(hs, 'user', asked, (rows) => rows.map(viewReport))
  },
})

export const { get: synapseGetUserReport, remove: synapseDeleteUserReport } = singleReportRequests(
  'user',
  path,
  (_hs, row) => viewReport(row),
)
