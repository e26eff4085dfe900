// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { endDevices, listDeviceIds } from '../accounts/end-devices.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

export const logout = defineEndpoint({
  operation: 'logout',
  method: 'POST',
  ...v3('/logout'),
  auth: 'user',
  run: async (hs, { session }) => {
    if (session.deviceId === undefined)
      throw forbidden('The token of an application service can not be logged out')
    await endDevices(hs, session.userId, [session.deviceId])
    return {}
  },
})

export const logoutAll = defineEndpoint({
  operation: 'logout_all',
  method: 'POST',
  ...v3('/logout/all'),
  auth: 'user',
  run: async (hs, { session }) => {
    await endDevices(hs, session.userId, await listDeviceIds(hs, session.userId))
    return {}
  },
})
