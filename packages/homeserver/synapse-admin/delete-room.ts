// https://element-hq.github.io/synapse/latest/admin_api/rooms.html#delete-room-api
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findJob, listJobsAbout, type JobRecord } from '@causeway/store/tables/jobs.ts'
import { userIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { SHUT_DOWN_ROOM, shutDownResult, shutDownRoom, type ShutDownInput } from '../jobs/shut-down-room.ts'
import { defineAdminRequest } from './admin-request.ts'
import { statusOf } from './job-status.ts'
import { RoomParams } from './known-room.ts'
import { requireAccount } from './local-account.ts'

const NAME = 'A room was closed'
const MESSAGE = 'The administrators of this server have closed a room that you were in.'
/** How often it is looked whether the room is gone, for whoever waits. */
const LOOK_EVERY_MS = 200

const flag = Type.Optional(Type.Boolean())
const Body = Type.Object({
  new_room_user_id: Type.Optional(Type.Union([userIdText, Type.Null()])),
  room_name: Type.Optional(Type.String({ maxLength: 255 })),
  message: Type.Optional(Type.String({ maxLength: 10_000 })),
  block: flag,
  purge: flag,
  // Everybody of this server leaves in any case.
  force_purge: flag,
})

async function readInput(
  hs: Homeserver,
  { userId: by }: Session,
  body: Static<typeof Body>,
): Promise<ShutDownInput> {
  const { new_room_user_id: creator, room_name: name = NAME, message = MESSAGE } = body
  if (creator != null) await requireAccount(hs, creator)
  return {
    by,
    block: body.block ?? false,
    purge: body.purge ?? true,
    newRoom: creator == null ? undefined : { creator, name, message },
  }
}

function viewResult(job: JobRecord): JsonObject {
  const { moved, failed, aliases, newRoomId } = shutDownResult(job)
  return {
    kicked_users: [...moved],
    failed_to_kick_users: [...failed],
    local_aliases: [...aliases],
    new_room_id: newRoomId,
  }
}

function viewJob(job: JobRecord): JsonObject {
  return {
    delete_id: job.id,
    room_id: job.subject,
    status: statusOf(job),
    shutdown_room: viewResult(job),
    ...(job.error === '' ? {} : { error: job.error }),
  }
}

export const synapseDeleteRoom = defineAdminRequest({
  operation: 'synapseDeleteRoom',
  method: 'DELETE',
  path: '/v2/rooms/:roomId',
  params: RoomParams,
  body: Body,
  run: async (hs, { session, params, body }) => {
    const { id } = await shutDownRoom(hs, params.roomId, await readInput(hs, session, body))
    return { delete_id: id }
  },
})

/** The same, answered when it is done; it goes on when the client goes away. */
export const synapseDeleteRoomNow = defineAdminRequest({
  operation: 'synapseDeleteRoomNow',
  method: 'DELETE',
  path: '/v1/rooms/:roomId',
  params: RoomParams,
  body: Body,
  run: async (hs, { session, params, body, signal }) => {
    let job = await shutDownRoom(hs, params.roomId, await readInput(hs, session, body))
    while (job.finishedTs === 0) {
      await hs.clock.sleep(LOOK_EVERY_MS, signal)
      job = (await findJob(hs.db, job.id)) ?? job
    }
    if (job.error !== '') throw new MatrixError('M_UNKNOWN', job.error, { status: 400 })
    return viewResult(job)
  },
})

export const synapseDeleteStatus = defineAdminRequest({
  operation: 'synapseDeleteStatus',
  method: 'GET',
  path: '/v2/rooms/delete_status/:deleteId',
  params: Type.Object({ deleteId: Type.String({ maxLength: 255 }) }),
  run: async (hs, { params: { deleteId } }) => {
    const job = await findJob(hs.db, deleteId)
    if (job?.kind !== SHUT_DOWN_ROOM) throw notFound(`delete id '${deleteId}' not found`)
    return viewJob(job)
  },
})

export const synapseDeleteStatusOfRoom = defineAdminRequest({
  operation: 'synapseDeleteStatusOfRoom',
  method: 'GET',
  path: '/v2/rooms/:roomId/delete_status',
  params: RoomParams,
  run: async (hs, { params: { roomId } }) => {
    const jobs = await listJobsAbout(hs.db, SHUT_DOWN_ROOM, roomId)
    if (jobs.length === 0) throw notFound(`No delete task for room_id '${roomId}' found`)
    return { results: jobs.map(viewJob) }
  },
})
