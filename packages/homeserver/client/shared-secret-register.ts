// The interface of Synapse for making accounts from outside, which deployment tools and test suites use.
// https://element-hq.github.io/synapse/latest/admin_api/register_api.html
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import { forbidden, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { registerUser } from '../accounts/register-user.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { passwordText } from './account-schemas.ts'

const path = '/_synapse/admin/v1/register'

const Body = Type.Object({
  nonce: Type.String(),
  username: Type.String({ minLength: 1, maxLength: 255 }),
  displayname: Type.Optional(Type.String({ maxLength: 256 })),
  password: passwordText,
  admin: Type.Optional(Type.Boolean()),
  user_type: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
  mac: Type.String(),
})

function requireSecret({ config }: Homeserver): string {
  const secret = config.registration.shared_secret
  if (secret !== undefined) return secret
  throw forbidden('Registration by shared secret is off; set registration.shared_secret to use it')
}

export const getRegisterNonce = defineEndpoint({
  operation: 'getSharedSecretNonce',
  method: 'GET',
  path,
  auth: 'none',
  rateLimit: 'registration',
  run: async (hs) => {
    requireSecret(hs)
    return { nonce: hs.accounts.nonces.issue() }
  },
})

function isSigned(secret: string, body: Static<typeof Body>): boolean {
  const { nonce, username, password, admin, user_type: userType, mac } = body
  const parts = [nonce, username, password, admin === true ? 'admin' : 'notadmin']
  if (userType != null) parts.push(userType)
  const expected = createHmac('sha1', secret).update(parts.join('\0')).digest()
  const given = Buffer.from(mac, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

export const registerBySharedSecret = defineEndpoint({
  operation: 'registerBySharedSecret',
  method: 'POST',
  path,
  auth: 'none',
  rateLimit: 'registration',
  body: Body,
  run: async (hs, { body, ip }) => {
    const secret = requireSecret(hs)
    if (!hs.accounts.nonces.use(body.nonce)) {
      throw invalidParam('The nonce is not known (any more): get another, each is good for one try')
    }
    if (body.username.includes('\0') || body.password.includes('\0')) {
      throw invalidParam('Name and password must not hold the character NUL')
    }
    if (!isSigned(secret, body)) throw forbidden('The mac is wrong: is it made with the same shared secret?')
    const userId = await chooseUserId(hs, body.username)
    const answer = await registerUser(hs, {
      userId,
      password: body.password,
      isAdmin: body.admin ?? false,
      displayName: body.displayname ?? localpartOf(userId),
      login: { deviceId: undefined, displayName: undefined, refreshable: false },
      ip,
    })
    return { ...answer, home_server: hs.serverName }
  },
})
