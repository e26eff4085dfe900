// https://element-hq.github.io/synapse/latest/admin_api/event_reports.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { ReportRow } from '@causeway/store/tables/reports.ts'
import type { Homeserver } from '../homeserver.ts'
import { describeRoom } from '../room-list/describe-room.ts'
import { findRoom } from '../rooms/load-head.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, pageQuery, partOfId, readPageWanted } from './pages.ts'
import { listReports, singleReportRequests } from './report-requests.ts'

const path = '/v1/event_reports'

/** Reports with the names that their rooms have now; each room is read once. */
async function viewReports(hs: Homeserver, rows: readonly ReportRow[]): Promise<JsonObject[]> {
  const rooms = [...new Set(rows.map((row) => row.room_id))]
  const described = await Promise.all(
    rooms.map(async (id) => {
      const room = await findRoom(hs.rooms, id as RoomId)
      return [id, await describeRoom(hs.rooms, room)] as const
    }),
  )
  const byId = new Map(described)
  return rows.map((row) => {
    const { name = null, canonical_alias: alias = null } = byId.get(row.room_id)?.texts ?? {}
    return {
      id: row.number,
      received_ts: row.created_ts,
      room_id: row.room_id,
      name,
      canonical_alias: alias,
      event_id: row.event_id,
      user_id: row.reporter,
      sender: row.user_id,
      reason: row.reason === '' ? null : row.reason,
      score: null,
    }
  })
}

export const synapseListEventReports = defineAdminRequest({
  operation: 'synapseListEventReports',
  method: 'GET',
  path,
  query: Type.Object({
    ...pageQuery,
    dir: dirQuery,
    user_id: partOfId,
    room_id: partOfId,
    event_sender_user_id: partOfId,
  }),
  run: (hs, { query }) => {
    const filter = { reporter: query.user_id, roomId: query.room_id, userId: query.event_sender_user_id }
    const asked = { page: readPageWanted(query), dir: query.dir, filter }
    return listReports(hs, 'event', asked, (rows) => viewReports(hs, rows))
  },
})

export const { get: synapseGetEventReport, remove: synapseDeleteEventReport } = singleReportRequests(
  'event',
  path,
  async (hs, row) => {
    const [view] = await viewReports(hs, [row])
    const [event] = await findEventRows(hs.db, [row.event_id])
    return { ...view, event_json: event === undefined ? null : parseJsonObject(event.json) }
  },
)
