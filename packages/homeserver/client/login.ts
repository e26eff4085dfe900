// https://spec.matrix.org/v1.19/client-server-api/#legacy-login
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, forbidden, missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import { logInAs, logInWithPassword, type WantedDevice } from '../accounts/log-in.ts'
import { logInWithToken } from '../accounts/login-tokens.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { readAddressIdentifier, readUserName } from '../accounts/user-identifier.ts'
import { findUserByName } from '../accounts/usernames.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { loginParts, passwordText, wantedDevice } from './account-schemas.ts'
import { requireAppservice } from './appservice-caller.ts'
import { v3 } from './paths.ts'

const Body = Type.Object({
  type: Type.String(),
  identifier: Type.Optional(jsonObject),
  user: Type.Optional(Type.String({ maxLength: 255 })),
  password: Type.Optional(passwordText),
  token: Type.Optional(Type.String()),
  ...loginParts,
})

const TOKEN = 'm.login.token'
const PASSWORD = 'm.login.password'
const APPSERVICE = 'm.login.application_service'

export const getLoginFlows = defineEndpoint({
  operation: 'getLoginFlows',
  method: 'GET',
  ...v3('/login'),
  auth: 'none',
  rateLimit: 'read',
  run: async () => ({
    flows: [{ type: PASSWORD }, { type: TOKEN, get_login_token: true }, { type: APPSERVICE }],
  }),
})

async function requireName(hs: Homeserver, body: Static<typeof Body>): Promise<string> {
  const name = readUserName({ ...body } as JsonObject)
  if (name !== undefined) return name
  const address = await readAddressIdentifier({ ...body } as JsonObject)
  // Nobody has the empty name: it is refused after the same time as a wrong password.
  if (address !== undefined) return (await findThreepidUser(hs.db, address)) ?? ''
  throw missingParam('Say who logs in: "identifier": {"type": "m.id.user", "user": "alice"}')
}

export const login = defineEndpoint({
  operation: 'login',
  method: 'POST',
  ...v3('/login'),
  auth: 'none',
  rateLimit: 'login',
  body: Body,
  run: async (hs, { body, raw, ip }) => {
    const device = { ...wantedDevice(body), ip }
    if (body.type === APPSERVICE) {
      return logInForAppservice(
        hs,
        await requireAppservice(hs, raw, 'login'),
        await requireName(hs, body),
        device,
      )
    }
    if (body.type === TOKEN) {
      if (body.token === undefined) throw missingParam('A login by token needs a token')
      return logInWithToken(hs, body.token, device)
    }
    if (body.type !== PASSWORD) {
      throw new MatrixError(
        'M_UNKNOWN',
        'This way to log in is not offered here; GET /login lists those that are',
        {
          status: 400,
        },
      )
    }
    const name = await requireName(hs, body)
    if (body.password === undefined) throw missingParam('A login by password needs a password')
    return logInWithPassword(hs, { name, password: body.password }, device)
  },
})

/** https://spec.matrix.org/v1.19/client-server-api/#appservice-login */
async function logInForAppservice(
  hs: Homeserver,
  appserviceId: string,
  name: string,
  device: WantedDevice,
): Promise<JsonObject> {
  const user = await findUserByName(hs, name)
  if (user === undefined) throw forbidden('There is no such user; register it first')
  hs.accounts.hooks.checkUserClaim?.(user.userId as UserId, appserviceId)
  if (user.deactivatedTs !== 0)
    throw new MatrixError('M_USER_DEACTIVATED', `The account ${user.userId} was deactivated`)
  return logInAs(hs, user, device)
}
