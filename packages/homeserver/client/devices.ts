// https://spec.matrix.org/v1.19/client-server-api/#device-management
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findDevice, listDevices, type DeviceRecord } from '@causeway/store/tables/devices.ts'
import { setDeviceName } from '../devices/rename-device.ts'
import { endDevices } from '../accounts/end-devices.ts'
import { makeDevice } from '../devices/device-names.ts'
import { defineEndpoint, HttpResponse } from '../http/endpoint.ts'
import { authData, deviceName } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v3 } from './paths.ts'
import { deviceIdText } from './schemas.ts'

const Params = Type.Object({ deviceId: deviceIdText })

function toJson(device: DeviceRecord): JsonObject {
  const { deviceId, displayName, lastSeenTs, lastSeenIp } = device
  return {
    device_id: deviceId,
    ...(displayName === '' ? {} : { display_name: displayName }),
    ...(lastSeenTs === 0 ? {} : { last_seen_ts: lastSeenTs }),
    ...(lastSeenIp === '' ? {} : { last_seen_ip: lastSeenIp }),
  }
}

const noDevice = (deviceId: string) => notFound(`You have no device ${deviceId}`)

export const getDevices = defineEndpoint({
  operation: 'getDevices',
  method: 'GET',
  ...v3('/devices'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => ({ devices: (await listDevices(hs.db, session.userId)).map(toJson) }),
})

export const getDevice = defineEndpoint({
  operation: 'getDevice',
  method: 'GET',
  ...v3('/devices/:deviceId'),
  auth: 'user',
  rateLimit: 'read',
  params: Params,
  run: async (hs, { session, params }) => {
    const device = await findDevice(hs.db, session.userId, params.deviceId)
    if (device === undefined) throw noDevice(params.deviceId)
    return toJson(device)
  },
})

/** Application services make devices this way; others only rename theirs. */
export const updateDevice = defineEndpoint({
  operation: 'updateDevice',
  method: 'PUT',
  ...v3('/devices/:deviceId'),
  auth: 'user',
  rateLimit: 'login',
  params: Params,
  body: Type.Object({ display_name: Type.Optional(deviceName) }),
  run: async (hs, { session, params, body }): Promise<JsonObject | HttpResponse> => {
    const { userId, appserviceId } = session
    const { deviceId } = params
    const device = await findDevice(hs.db, userId, deviceId)
    if (device === undefined && appserviceId === undefined) throw noDevice(deviceId)
    if (device === undefined) {
      const displayName = body.display_name ?? ''
      const made = { userId, deviceId, displayName, createdTs: hs.clock.now(), lastSeenTs: 0, lastSeenIp: '' }
      await makeDevice(hs, made)
      return new HttpResponse({ status: 201, body: {} })
    }
    if (body.display_name === undefined) return {}
    if (!(await setDeviceName(hs, userId, deviceId, body.display_name))) throw noDevice(deviceId)
    return {}
  },
})

export const deleteDevice = defineEndpoint({
  operation: 'deleteDevice',
  method: 'DELETE',
  ...v3('/devices/:deviceId'),
  auth: 'user',
  rateLimit: 'login',
  params: Params,
  body: Type.Object({ auth: authData }),
  run: async (hs, { session, params, body, ip }) => {
    const operation = `deleteDevice ${params.deviceId}`
    return confirmByPassword(hs, { session, body, ip }, operation, async () => {
      await endDevices(hs, session.userId, [params.deviceId])
      return {}
    })
  },
})

export const deleteDevices = defineEndpoint({
  operation: 'deleteDevices',
  method: 'POST',
  ...v3('/delete_devices'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({ auth: authData, devices: Type.Array(deviceIdText, { maxItems: 10_000 }) }),
  run: async (hs, { session, body, ip }) =>
    confirmByPassword(hs, { session, body, ip }, 'deleteDevices', async () => {
      await endDevices(hs, session.userId, body.devices)
      return {}
    }),
})
