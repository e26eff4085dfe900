// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#user-devices
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findDevice,
  listDevices,
  type DeviceRecord,
  type StoredDevice,
} from '@causeway/store/tables/devices.ts'
import { endDevices } from '../accounts/end-devices.ts'
import { deviceIdText, userIdText } from '../client/schemas.ts'
import { makeDevice } from '../devices/device-names.ts'
import { setDeviceName } from '../devices/rename-device.ts'
import { HttpResponse } from '../http/endpoint.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

const path = '/v2/users/:userId/devices'
const Params = Type.Object({ userId: userIdText, deviceId: deviceIdText })

function viewDevice(device: DeviceRecord): JsonObject {
  const { userId, deviceId, displayName, lastSeenTs, lastSeenIp } = device
  return {
    user_id: userId,
    device_id: deviceId,
    display_name: displayName === '' ? null : displayName,
    last_seen_ts: lastSeenTs === 0 ? null : lastSeenTs,
    last_seen_ip: lastSeenIp === '' ? null : lastSeenIp,
  }
}

export const synapseListDevices = defineAdminRequest({
  operation: 'synapseListDevices',
  method: 'GET',
  path,
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const devices = await listDevices(hs.db, userId)
    // As Synapse: the mark is there where one of them has it.
    const marked = devices.some(({ isDehydrated }) => isDehydrated)
    const view = (device: StoredDevice): JsonObject =>
      marked ? { ...viewDevice(device), dehydrated: device.isDehydrated } : viewDevice(device)
    return { devices: devices.map(view), total: devices.length }
  },
})

export const synapseCreateDevice = defineAdminRequest({
  operation: 'synapseCreateDevice',
  method: 'POST',
  path,
  params: UserParams,
  body: Type.Object({ device_id: Type.String({ minLength: 1, maxLength: 255 }) }),
  run: async (hs, { params: { userId }, body: { device_id: deviceId } }) => {
    const user = await requireAccount(hs, userId)
    if (user.deactivatedTs !== 0) throw notFound(`There is no account ${userId} in use`)
    const made = { userId, deviceId, displayName: '', createdTs: hs.clock.now() }
    await makeDevice(hs, { ...made, lastSeenTs: 0, lastSeenIp: '' })
    return new HttpResponse({ status: 201, body: {} })
  },
})

export const synapseGetDevice = defineAdminRequest({
  operation: 'synapseGetDevice',
  method: 'GET',
  path: `${path}/:deviceId`,
  params: Params,
  run: async (hs, { params: { userId, deviceId } }) => {
    await requireAccount(hs, userId)
    const device = await findDevice(hs.db, userId, deviceId)
    if (device === undefined) throw notFound('No device found')
    return viewDevice(device)
  },
})

export const synapseUpdateDevice = defineAdminRequest({
  operation: 'synapseUpdateDevice',
  method: 'PUT',
  path: `${path}/:deviceId`,
  params: Params,
  body: Type.Object({ display_name: Type.Optional(Type.String({ maxLength: 255 })) }),
  run: async (hs, { params: { userId, deviceId }, body: { display_name: name } }) => {
    await requireAccount(hs, userId)
    const isThere =
      name === undefined
        ? (await findDevice(hs.db, userId, deviceId)) !== undefined
        : await setDeviceName(hs, userId, deviceId, name)
    if (!isThere) throw notFound('No device found')
    return {}
  },
})

export const synapseDeleteDevice = defineAdminRequest({
  operation: 'synapseDeleteDevice',
  method: 'DELETE',
  path: `${path}/:deviceId`,
  params: Params,
  run: async (hs, { params: { userId, deviceId } }) => {
    await requireAccount(hs, userId)
    await endDevices(hs, userId, [deviceId])
    return {}
  },
})

export const synapseDeleteDevices = defineAdminRequest({
  operation: 'synapseDeleteDevices',
  method: 'POST',
  path: '/v2/users/:userId/delete_devices',
  params: UserParams,
  body: Type.Object({ devices: Type.Array(deviceIdText, { maxItems: 10_000 }) }),
  run: async (hs, { params: { userId }, body }) => {
    await requireAccount(hs, userId)
    await endDevices(hs, userId, body.devices)
    return {}
  },
})
