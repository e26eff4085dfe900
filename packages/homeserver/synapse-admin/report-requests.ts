import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import {
  deleteReportOfKind,
  findReportOfKind,
  listReportsOfKind,
  type ReportRow,
} from '@causeway/store/tables/reports.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineAdminRequest } from './admin-request.ts'
import { nextFrom, type PageWanted } from './pages.ts'

type Kind = 'event' | 'user'

/** What is asked of a list of reports; absent: all. */
type ReportFilter = Omit<Parameters<typeof listReportsOfKind>[1], keyof PageWanted | 'kind' | 'newestFirst'>

/**
 * One page, the newest first unless it is asked otherwise. All there are, also those that were closed on the command line, so
 * that places in the list stay what they are.
 * @param view what is shown of the page's reports, in their order
 */
export async function listReports(
  hs: Homeserver,
  kind: Kind,
  { page, dir, filter }: { page: PageWanted; dir: 'f' | 'b' | undefined; filter: ReportFilter },
  view: (rows: readonly ReportRow[]) => Promise<JsonObject[]> | JsonObject[],
): Promise<JsonObject> {
  const { rows, total } = await listReportsOfKind(hs.db, {
    ...page,
    ...filter,
    kind,
    newestFirst: dir !== 'f',
  })
  const next = nextFrom(page, rows.length, total)
  const reports = await view(rows)
  return { [`${kind}_reports`]: reports, ...(next === undefined ? {} : { next_token: next }), total }
}

const Params = Type.Object({ reportId: Type.Integer({ minimum: 0 }) })
const LABEL = { event: 'Event', user: 'User' } as const

/** Showing one report, and deleting it. */
export function singleReportRequests(
  kind: Kind,
  path: string,
  show: (hs: Homeserver, row: ReportRow) => Promise<JsonObject> | JsonObject,
) {
  const missing = () => notFound(`${LABEL[kind]} report not found`)
  const get = defineAdminRequest({
    operation: `synapseGet${LABEL[kind]}Report`,
    method: 'GET',
    path: `${path}/:reportId`,
    params: Params,
    run: async (hs, { params }) => {
      const row = await findReportOfKind(hs.db, kind, params.reportId)
      if (row === undefined) throw missing()
      return show(hs, row)
    },
  })
  const remove = defineAdminRequest({
    operation: `synapseDelete${LABEL[kind]}Report`,
    method: 'DELETE',
    path: `${path}/:reportId`,
    params: Params,
    run: async (hs, { params }) => {
      const result = await hs.db.commit({ entries: [], steps: [deleteReportOfKind(kind, params.reportId)] })
      if (!result.ok) throw missing()
      return {}
    },
  })
  return { get, remove }
}
