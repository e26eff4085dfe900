// https://element-hq.github.io/synapse/latest/admin_api/purge_history_api.html
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { badJson, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { eventIdText, roomIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'
import { PURGE_HISTORY, purgeHistory, type PurgeUpTo } from '../jobs/purge-history.ts'
import { defineAdminRequest } from './admin-request.ts'
import { statusOf } from './job-status.ts'
import { RoomParams } from './known-room.ts'

const Body = Type.Object({
  delete_local_events: Type.Optional(Type.Boolean()),
  purge_up_to_event_id: Type.Optional(eventIdText),
  purge_up_to_ts: Type.Optional(Type.Integer()),
})

type BodyGiven = Static<typeof Body> | undefined

async function begin(
  hs: Homeserver,
  roomId: RoomId,
  eventId: EventId | undefined,
  body: BodyGiven,
): Promise<JsonObject> {
  const input = { upTo: readUpTo(eventId, body ?? {}), deletesOwn: body?.delete_local_events ?? false }
  return { purge_id: (await purgeHistory(hs, roomId, input)).id }
}

function readUpTo(eventId: EventId | undefined, body: Static<typeof Body>): PurgeUpTo {
  const id = eventId ?? body.purge_up_to_event_id
  if (id !== undefined) return { eventId: id }
  if (body.purge_up_to_ts === undefined) throw badJson('must specify purge_up_to_event_id or purge_up_to_ts')
  return { ts: body.purge_up_to_ts }
}

export const synapsePurgeHistory = defineAdminRequest({
  operation: 'synapsePurgeHistory',
  method: 'POST',
  path: '/v1/purge_history/:roomId',
  params: RoomParams,
  body: Body,
  mayLackBody: true,
  run: (hs, { params, body }) => begin(hs, params.roomId, undefined, body),
})

export const synapsePurgeHistoryBefore = defineAdminRequest({
  operation: 'synapsePurgeHistoryBefore',
  method: 'POST',
  path: '/v1/purge_history/:roomId/:eventId',
  params: Type.Object({ roomId: roomIdText, eventId: eventIdText }),
  body: Body,
  mayLackBody: true,
  run: (hs, { params, body }) => begin(hs, params.roomId, params.eventId, body),
})

export const synapsePurgeHistoryStatus = defineAdminRequest({
  operation: 'synapsePurgeHistoryStatus',
  method: 'GET',
  path: '/v1/purge_history_status/:purgeId',
  params: Type.Object({ purgeId: Type.String({ maxLength: 255 }) }),
  run: async (hs, { params: { purgeId } }) => {
    const job = await findJob(hs.db, purgeId)
    if (job?.kind !== PURGE_HISTORY) throw notFound(`purge id '${purgeId}' not found`)
    const status = statusOf(job)
    const why = job.error === '' ? {} : { error: job.error }
    return { status: status === 'scheduled' ? 'active' : status, ...why }
  },
})
