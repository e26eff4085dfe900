import { Type } from 'typebox'
import type { DeviceId } from '@causeway/matrix/ids/ids.ts'
import { MAX_PASSWORD_LENGTH } from '../accounts/register-user.ts'
import { jsonObject } from '../http/schemas.ts'

/** The `auth` of a request that has to be confirmed. */
export const authData = Type.Optional(jsonObject)
export const passwordText = Type.String({ maxLength: MAX_PASSWORD_LENGTH })
export const deviceName = Type.String({ maxLength: 255 })
/** A device id as clients choose them; an empty one counts as none. */
export const wantedDeviceId = Type.String({ maxLength: 255 })

/** Ketesa says null for the device that it does not have yet, and Synapse lets it. */
export const loginParts = {
  device_id: Type.Optional(Type.Union([wantedDeviceId, Type.Null()])),
  initial_device_display_name: Type.Optional(Type.Union([deviceName, Type.Null()])),
  refresh_token: Type.Optional(Type.Boolean()),
}

/** The device that a login or a registration asks for. */
export function wantedDevice(body: {
  readonly device_id?: string | null
  readonly initial_device_display_name?: string | null
  readonly refresh_token?: boolean
}): {
  readonly deviceId: DeviceId | undefined
  readonly displayName: string | undefined
  readonly refreshable: boolean
} {
  const { device_id: id, initial_device_display_name: displayName, refresh_token: refreshable } = body
  const deviceId = id == null || id === '' ? undefined : (id as DeviceId)
  return { deviceId, displayName: displayName ?? undefined, refreshable: refreshable ?? false }
}
