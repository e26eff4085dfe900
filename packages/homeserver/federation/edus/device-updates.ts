// https://spec.matrix.org/v1.19/server-server-api/#device-management
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { userIdText } from '../../client/schemas.ts'
import type { DeviceUpdate, UserUpdates } from '../../devices/remote/device-updates.ts'
import { parseRemoteDevice, parseRemoteKey } from '../../devices/remote/remote-identity.ts'
import { defineEdu, type EduContext } from './edu-handler.ts'

const DeviceListUpdate = Type.Object({
  user_id: userIdText,
  device_id: Type.String({ minLength: 1, maxLength: 255 }),
  device_display_name: Type.Optional(Type.Unknown()),
  stream_id: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  prev_id: Type.Optional(Type.Union([Type.Array(Type.Integer(), { maxItems: 1_000 }), Type.Null()])),
  deleted: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  keys: Type.Optional(Type.Unknown()),
})

const SigningKeyUpdate = Type.Object({
  user_id: userIdText,
  master_key: Type.Optional(Type.Unknown()),
  self_signing_key: Type.Optional(Type.Unknown()),
})

function readUpdate(update: Static<typeof DeviceListUpdate>): DeviceUpdate {
  const { user_id: userId, device_id: deviceId, keys, device_display_name: name } = update
  return {
    deviceId,
    streamId: update.stream_id,
    prevIds: update.prev_id ?? [],
    device: update.deleted === true ? undefined : parseRemoteDevice(userId, deviceId, keys, name),
  }
}

/** The updates by user; of users who are not the sender's, nothing. */
async function receive<T extends { user_id: UserId }>(
  { hs, origin, refuse }: EduContext,
  contents: readonly T[],
  read: (ofUser: readonly T[]) => Pick<UserUpdates, 'devices' | 'keys'>,
): Promise<void> {
  const own = contents.filter(({ user_id: userId }) => serverNameOf(userId) === origin)
  refuse(contents.length - own.length)
  const byUser = Map.groupBy(own, ({ user_id: userId }) => userId)
  const updates = [...byUser].map(([userId, ofUser]) => ({ userId, ...read(ofUser) }))
  refuse(await hs.remoteDevices.receive(updates))
}

export const deviceListUpdates = defineEdu(DeviceListUpdate, (context, contents) =>
  receive(context, contents, (ofUser) => ({ devices: ofUser.map(readUpdate), keys: [] })),
)

export const signingKeyUpdates = defineEdu(SigningKeyUpdate, (context, contents) =>
  receive(context, contents, (ofUser) => {
    // Of several in one transaction, the last that says something.
    const userId = ofUser[0]!.user_id
    const master = ofUser.findLast((update) => update.master_key !== undefined)?.master_key
    const selfSigning = ofUser.findLast((update) => update.self_signing_key !== undefined)?.self_signing_key
    const keys = [
      parseRemoteKey(userId, 'master', master),
      parseRemoteKey(userId, 'self_signing', selfSigning),
    ]
    return { devices: [], keys: keys.filter((row) => row !== undefined) }
  }),
)
