// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
import { Type } from 'typebox'
import { changePassword as setPassword } from '../accounts/change-password.ts'
import { requireGoodPassword } from '../accounts/register-user.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { authData, passwordText } from './account-schemas.ts'
import { resetPassword } from './reset-password.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v3 } from './paths.ts'

export const changePassword = defineEndpoint({
  operation: 'changePassword',
  method: 'POST',
  ...v3('/account/password'),
  auth: 'optional',
  rateLimit: 'login',
  body: Type.Object({
    auth: authData,
    new_password: passwordText,
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  run: async (hs, request) => {
    const { session, body, ip } = request
    // Said before the person types the old one.
    requireGoodPassword(body.new_password)
    const keepDevices = body.logout_devices === false
    if (session === undefined) return resetPassword(hs, { ...body, keepDevices }, ip)
    return confirmByPassword(hs, { session, body, ip }, 'changePassword', async () => {
      await setPassword(hs, session.userId, body.new_password, { keepDevices, except: session.deviceId })
      return {}
    })
  },
})
