// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

export const whoami = defineEndpoint({
  operation: 'getTokenOwner',
  method: 'GET',
  ...v3('/account/whoami'),
  auth: 'user',
  rateLimit: 'read',
  run: async (_hs, { session }) => ({
    user_id: session.userId,
    is_guest: session.isGuest,
    ...(session.deviceId === undefined ? {} : { device_id: session.deviceId }),
  }),
})
