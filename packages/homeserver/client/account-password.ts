// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { changePassword as setPassword } from '../accounts/change-password.ts'
import { requireGoodPassword } from '../accounts/register-user.ts'
import type { Homeserver } from '../homeserver.ts'
import { addressBucket } from '../http/client-ip.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { authData, passwordText } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v3 } from './paths.ts'
import { RESET_PASSWORD, resetPassword } from './reset-password.ts'
import { goesOn, takeSessionTurn, takeTurn } from './take-turn.ts'

export const changePassword = defineEndpoint({
  operation: 'changePassword',
  method: 'POST',
  ...v3('/account/password'),
  auth: 'optional',
  body: Type.Object({
    auth: authData,
    new_password: passwordText,
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  run: async (hs, request) => {
    const { session, body, ip } = request
    countTurn(hs, request)
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

interface Asked {
  readonly session: Session | undefined
  readonly body: { readonly auth?: JsonObject }
  readonly ip: string
}

/** Guesses at the old password are counted as logins; whoever waits for a mail is not. */
function countTurn(hs: Homeserver, { session, body, ip }: Asked): void {
  if (session !== undefined) takeSessionTurn(hs, 'login', session)
  else takeTurn(hs, goesOn(hs, RESET_PASSWORD, body.auth) ? 'read' : 'login', 'address', addressBucket(ip))
}
