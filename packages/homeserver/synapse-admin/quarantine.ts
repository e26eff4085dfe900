// https://element-hq.github.io/synapse/latest/admin_api/media_admin_api.html#quarantine-media
import { Type } from 'typebox'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { userIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'
import { mediaOfRoom } from '../media/media-of-room.ts'
import {
  protectMedia,
  quarantineMedia,
  quarantineMediaInRoom,
  quarantineMediaOf,
  releaseMedia,
} from '../media/quarantine.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireRoom, RoomParams } from './known-room.ts'

const MediaParams = Type.Object({
  serverName: Type.String({ maxLength: 255 }),
  mediaId: Type.String({ maxLength: 255 }),
})

/** Addresses of one answer. */
const MAX_LISTED = 100_000

export const synapseQuarantineMedia = defineAdminRequest({
  operation: 'synapseQuarantineMedia',
  method: 'POST',
  path: '/v1/media/quarantine/:serverName/:mediaId',
  params: MediaParams,
  run: async (hs, { session, params }) => {
    const outcome = await quarantineMedia(hs, params, session.userId)
    if (outcome === 'unknown') throw notFound('Unknown media: of other servers only what was fetched is here')
    if (outcome === 'protected') throw invalidParam('This content is protected from quarantine')
    return {}
  },
})

export const synapseUnquarantineMedia = defineAdminRequest({
  operation: 'synapseUnquarantineMedia',
  method: 'POST',
  path: '/v1/media/unquarantine/:serverName/:mediaId',
  params: MediaParams,
  run: async (hs, { params }) => {
    // What is in use stays so.
    await releaseMedia(hs, params)
    return {}
  },
})

export const synapseQuarantineRoomMedia = defineAdminRequest({
  operation: 'synapseQuarantineRoomMedia',
  method: 'POST',
  path: '/v1/room/:roomId/media/quarantine',
  also: ['/v1/quarantine_media/:roomId'],
  params: RoomParams,
  run: async (hs, { session, params }) => {
    const { roomNid } = await requireRoom(hs, params.roomId)
    return { num_quarantined: await quarantineMediaInRoom(hs, roomNid, session.userId) }
  },
})

export const synapseQuarantineUserMedia = defineAdminRequest({
  operation: 'synapseQuarantineUserMedia',
  method: 'POST',
  path: '/v1/user/:userId/media/quarantine',
  params: Type.Object({ userId: userIdText }),
  run: async (hs, { session, params }) => ({
    num_quarantined: await quarantineMediaOf(hs, params.userId, session.userId),
  }),
})

export const synapseListRoomMedia = defineAdminRequest({
  operation: 'synapseListRoomMedia',
  method: 'GET',
  path: '/v1/room/:roomId/media',
  params: RoomParams,
  run: async (hs, { params }) => {
    const { roomNid } = await requireRoom(hs, params.roomId)
    const [local, remote]: [Mxc[], Mxc[]] = [[], []]
    for await (const mxc of mediaOfRoom(hs.db, roomNid)) {
      ;(mxc.startsWith(`mxc://${hs.serverName}/`) ? local : remote).push(mxc)
      if (local.length + remote.length === MAX_LISTED) break
    }
    return { local, remote }
  },
})

async function setProtected(
  hs: Homeserver,
  mediaId: string,
  isProtected: boolean,
): Promise<Record<string, never>> {
  if (!(await protectMedia(hs, mediaId, isProtected))) throw notFound('Unknown media')
  return {}
}

const OwnMediaParams = Type.Object({ mediaId: Type.String({ maxLength: 255 }) })

export const synapseProtectMedia = defineAdminRequest({
  operation: 'synapseProtectMedia',
  method: 'POST',
  path: '/v1/media/protect/:mediaId',
  params: OwnMediaParams,
  run: (hs, { params }) => setProtected(hs, params.mediaId, true),
})

export const synapseUnprotectMedia = defineAdminRequest({
  operation: 'synapseUnprotectMedia',
  method: 'POST',
  path: '/v1/media/unprotect/:mediaId',
  params: OwnMediaParams,
  run: (hs, { params }) => setProtected(hs, params.mediaId, false),
})
