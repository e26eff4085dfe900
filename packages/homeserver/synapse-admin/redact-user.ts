// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#redact-events-of-a-user
import { Type } from 'typebox'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { listMembershipsOfUser } from '@causeway/store/tables/rooms.ts'
import { roomIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'
import { REDACT_ROOMS, redactInRooms, refusalsOf } from '../jobs/redact-rooms.ts'
import { defineAdminRequest } from './admin-request.ts'
import { statusOf } from './job-status.ts'
import { UserParams } from './local-account.ts'

const DEFAULT_LIMIT = 1_000
const time = Type.Optional(Type.Union([Type.Integer(), Type.Null()]))

async function roomsOf({ db }: Pick<Homeserver, 'db'>, userId: UserId): Promise<RoomId[]> {
  const all = await listMembershipsOfUser(db, userId)
  const there = all.filter(({ membership }) => membership === 'join' || membership === 'ban')
  return there.map((row) => row.room_id as RoomId)
}

/** Users of this server remove their own, so that no power level is needed; for others the administrator does. */
export const synapseRedactUser = defineAdminRequest({
  operation: 'synapseRedactUser',
  method: 'POST',
  path: '/v1/user/:userId/redact',
  params: UserParams,
  body: Type.Object({
    rooms: Type.Array(roomIdText, { maxItems: 10_000 }),
    reason: Type.Optional(Type.Union([Type.String({ maxLength: 512 }), Type.Null()])),
    limit: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    use_admin: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    after_ts: time,
    before_ts: time,
  }),
  maxBodyBytes: 1024 * 1024,
  run: async (hs, { session, params: { userId }, body }) => {
    const isOurs = serverNameOf(userId) === hs.serverName
    const { id } = await redactInRooms(hs, {
      userId,
      rooms: body.rooms.length > 0 ? body.rooms : await roomsOf(hs, userId),
      by: body.use_admin === true || !isOurs ? session.userId : userId,
      reason: body.reason ?? undefined,
      limit: body.limit ?? DEFAULT_LIMIT,
      afterTs: body.after_ts ?? undefined,
      beforeTs: body.before_ts ?? undefined,
    })
    return { redact_id: id }
  },
})

export const synapseRedactStatus = defineAdminRequest({
  operation: 'synapseRedactStatus',
  method: 'GET',
  path: '/v1/user/redact_status/:redactId',
  params: Type.Object({ redactId: Type.String({ maxLength: 255 }) }),
  run: async (hs, { params: { redactId } }) => {
    const job = await findJob(hs.db, redactId)
    if (job?.kind !== REDACT_ROOMS) throw notFound(`redact id '${redactId}' not found`)
    const why = job.error === '' ? {} : { error: job.error }
    return { status: statusOf(job), failed_redactions: refusalsOf(job), ...why }
  },
})
