// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import { missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import { findRegistrationToken } from '@causeway/store/tables/registration-tokens.ts'
import { AddressTaken, RegistrationTokenRefused, registerUser } from '../accounts/register-user.ts'
import { acceptedTerms, registrationOffer } from '../accounts/registration-policy.ts'
import { ADDRESS_STAGES, confirmedAddresses } from '../accounts/uia/confirmed-addresses.ts'
import { withUia, type UiaProof } from '../accounts/uia/with-uia.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import { sendsNotifications } from '../email-options.ts'
import type { Homeserver } from '../homeserver.ts'
import { guestsForbidden } from '../http/account-standing.ts'
import { addressBucket } from '../http/client-ip.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { authData, loginParts, passwordText, wantedDevice } from './account-schemas.ts'
import { requireAppservice } from './appservice-caller.ts'
import { v3 } from './paths.ts'
import { goesOn, takeTurn } from './take-turn.ts'

const Body = Type.Object({
  auth: authData,
  type: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(passwordText),
  inhibit_login: Type.Optional(Type.Boolean()),
  ...loginParts,
})
type RegisterBody = Static<typeof Body>

const Query = Type.Object({
  kind: Type.Optional(Type.Union([Type.Literal('user'), Type.Literal('guest')])),
})

export const register = defineEndpoint({
  operation: 'register',
  method: 'POST',
  ...v3('/register'),
  auth: 'none',
  query: Query,
  body: Body,
  run: async (hs, { body, query, raw, ip }) => {
    if (query.kind === 'guest') return registerGuest(hs, body, ip)
    if (body.type === 'm.login.application_service') {
      const appserviceId = await requireAppservice(hs, raw, 'register').catch((error: unknown) => {
        takeTurn(hs, 'registration', 'address', addressBucket(ip))
        throw error
      })
      takeTurn(hs, 'registration', 'appservice', appserviceId)
      return registerForAppservice(hs, appserviceId, body, ip)
    }
    takeTurn(hs, wasCounted(hs, body) ? 'read' : 'registration', 'address', addressBucket(ip))
    const offer = registrationOffer(hs.config)
    if (body.username !== undefined && !isReplay(hs, body)) await chooseUserId(hs, body.username)
    const request = {
      ...offer,
      operation: 'register',
      session: undefined,
      ip,
      body: { ...body } as JsonObject,
    }
    return withUia(hs, request, (proof) => registerPerson(hs, body, proof, ip))
  },
})

/** Guesses at tokens are counted one by one; else one account at most comes of what was counted when it began. */
function wasCounted(hs: Homeserver, { auth }: RegisterBody): boolean {
  return auth?.['type'] !== 'm.login.registration_token' && goesOn(hs, 'register', auth)
}

/** The client did not get the answer and asks again: that the name is taken now is its own doing. */
function isReplay(hs: Homeserver, { auth }: RegisterBody): boolean {
  const id = auth?.['session']
  return typeof id === 'string' && hs.accounts.uia.find(id, 'register', '')?.outcome !== undefined
}

function loginOf(body: RegisterBody): { login?: ReturnType<typeof wantedDevice> } {
  return body.inhibit_login === true ? {} : { login: wantedDevice(body) }
}

async function registerPerson(
  hs: Homeserver,
  body: RegisterBody,
  proof: UiaProof,
  ip: string,
): Promise<JsonObject> {
  if (body.password === undefined) throw missingParam('An account needs a password')
  const userId = await chooseUserId(hs, body.username ?? hs.random.token(12))
  const token = proof.get('m.login.registration_token') as string | undefined
  const invitation = token === undefined ? undefined : await findRegistrationToken(hs.db, token)
  try {
    return await registerUser(hs, {
      userId,
      password: body.password,
      displayName: localpartOf(userId),
      registrationToken: token,
      isAdmin: invitation?.makesAdmin ?? false,
      addresses: confirmedAddresses(proof),
      isToldByEmail: sendsNotifications(hs.config.email) && hs.config.email.notifications_for_new_accounts,
      termsAccepted: proof.get('m.login.terms') === undefined ? undefined : acceptedTerms(hs.config),
      ...loginOf(body),
      ip,
    })
  } catch (error) {
    if (error instanceof AddressTaken)
      throw proof.revoke(ADDRESS_STAGES[error.medium], 'This address belongs to an account by now')
    if (!(error instanceof RegistrationTokenRefused)) throw error
    throw proof.revoke('m.login.registration_token', 'This registration token was used up meanwhile')
  }
}

/** Nobody is asked for anything; of the body only what the device is called counts. */
async function registerGuest(
  hs: Homeserver,
  { initial_device_display_name: deviceName }: RegisterBody,
  ip: string,
): Promise<JsonObject> {
  if (!hs.config.registration.guests) throw guestsForbidden()
  takeTurn(hs, 'registration', 'address', addressBucket(ip))
  const userId = await chooseUserId(hs, `guest-${hs.random.token(12).toLowerCase()}`)
  const login = wantedDevice(deviceName === undefined ? {} : { initial_device_display_name: deviceName })
  return registerUser(hs, { userId, password: undefined, isGuest: true, login, ip })
}

/** https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions */
async function registerForAppservice(
  hs: Homeserver,
  appserviceId: string,
  body: RegisterBody,
  ip: string,
): Promise<JsonObject> {
  if (body.username === undefined) throw missingParam('Say which user is to be registered: username')
  const userId: UserId = await chooseUserId(hs, body.username, appserviceId)
  return registerUser(hs, { userId, password: undefined, appserviceId, ...loginOf(body), ip })
}
