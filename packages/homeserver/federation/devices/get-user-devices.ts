// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findDeviceStreamId } from '@causeway/store/tables/device-changes.ts'
import { userIdText } from '../../client/schemas.ts'
import type { Homeserver } from '../../homeserver.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { requireOurUser } from '../require-ours.ts'
import { namePart, readPublicIdentities } from './public-identities.ts'

/**
 * The devices of a user of ours as of a position in the log, which is the number that our updates about them
 * carry.
 */
async function readUserDevices(hs: Pick<Homeserver, 'db' | 'config'>, userId: UserId): Promise<JsonObject> {
  // Before the devices: what changes meanwhile comes as an update with a higher number.
  const streamId = await findDeviceStreamId(hs.db, userId)
  const found = await readPublicIdentities(hs, new Map([[userId, undefined]]))
  const devices = Object.entries(found.device_keys[userId] as Record<string, JsonObject>)
  const { [userId]: master } = found.master_keys
  const { [userId]: selfSigning } = found.self_signing_keys
  return {
    user_id: userId,
    stream_id: streamId,
    devices: devices.map(([deviceId, keys]) => ({ device_id: deviceId, keys, ...namePart(keys) })),
    ...(master === undefined ? {} : { master_key: master }),
    ...(selfSigning === undefined ? {} : { self_signing_key: selfSigning }),
  }
}

export const getUserDevices = defineEndpoint({
  operation: 'getUserDevices',
  method: 'GET',
  path: '/_matrix/federation/v1/user/devices/:userId',
  auth: 'server',
  rateLimit: 'federation',
  params: Type.Object({ userId: userIdText }),
  run: async (hs, { params }) => {
    requireOurUser(hs, params.userId)
    return readUserDevices(hs, params.userId)
  },
})
