import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { findRegistrationToken, isUsable } from '@causeway/store/tables/registration-tokens.ts'
import type { Medium } from '@causeway/store/tables/threepids.ts'
import { findConfirmed, readCredentials } from '../../addresses/confirmed-address.ts'
import type { Homeserver } from '../../homeserver.ts'
import { MAX_PASSWORD_LENGTH } from '../register-user.ts'
import { provePassword } from '../log-in.ts'
import { readUserName } from '../user-identifier.ts'
import type { StageFailure } from './challenge.ts'
import type { UiaStage } from './sessions.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'serverName' | 'accounts'>

/** Who does it, from where. `userId` is empty where nobody is logged in. */
export interface StageContext {
  readonly operation: string
  readonly userId: string
  readonly ip: string
}

/** What a completed stage proved, or why it was not completed. */
export type StageResult =
  | { readonly ok: true; readonly proof: JsonValue }
  | { readonly ok: false; readonly failure: StageFailure }

const done = (proof: JsonValue = true): StageResult => ({ ok: true, proof })
const failed = (errcode: StageFailure['errcode'], message: string): StageResult => ({
  ok: false,
  failure: { errcode, message },
})

/** https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration */
async function checkRegistrationToken(hs: Deps, auth: JsonObject): Promise<StageResult> {
  const text = auth['token']
  if (typeof text !== 'string') return failed('M_MISSING_PARAM', 'The stage needs a token')
  const token = text.length > 64 ? undefined : await findRegistrationToken(hs.db, text)
  if (token === undefined || !isUsable(token, hs.clock.now())) {
    return failed('M_UNAUTHORIZED', 'This registration token is not valid (any more)')
  }
  return done(token.token)
}

/** https://spec.matrix.org/v1.19/client-server-api/#password-based */
async function checkPassword(hs: Deps, auth: JsonObject, who: StageContext): Promise<StageResult> {
  const { password } = auth
  const name = readUserName(auth) ?? who.userId
  if (typeof password !== 'string') return failed('M_MISSING_PARAM', 'The stage needs a password')
  if (password.length > MAX_PASSWORD_LENGTH) return failed('M_FORBIDDEN', 'The password is wrong')
  const proven = await provePassword(hs, name, password, who.ip)
  if (proven === undefined) return failed('M_FORBIDDEN', 'The password is wrong')
  // Somebody else's password is right, but allows nothing here.
  if (proven.user.userId !== who.userId) throw forbidden('Only the owner of the account may confirm this')
  return done()
}

const NOT_YET: Readonly<Record<Medium, string>> = {
  email: 'The address is not confirmed yet: open the link in the mail first',
  msisdn: 'The number is not confirmed yet: send the code of the text message to submit_url first',
}

/**
 * https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver,
 * https://spec.matrix.org/v1.19/client-server-api/#phone-numbermsisdn-based-identity--homeserver
 */
async function checkAddress(
  hs: Deps,
  medium: Medium,
  auth: JsonObject,
  { operation }: StageContext,
): Promise<StageResult> {
  const credentials = readCredentials(auth)
  if (credentials === undefined) {
    return failed('M_MISSING_PARAM', 'The stage needs threepid_creds with sid and client_secret')
  }
  const session = await findConfirmed(hs, credentials, operation === 'register' ? 'register' : 'reset')
  if (session?.medium !== medium) return failed('M_UNAUTHORIZED', NOT_YET[medium])
  return done({ sid: session.sid, address: session.address, validated_ts: session.validated_ts })
}

/** Tries to complete one stage. Throws `M_FORBIDDEN` when somebody else than who asks completes it. */
export async function runStage(
  hs: Deps,
  stage: UiaStage,
  auth: JsonObject,
  who: StageContext,
): Promise<StageResult> {
  if (stage === 'm.login.registration_token') return checkRegistrationToken(hs, auth)
  if (stage === 'm.login.email.identity') return checkAddress(hs, 'email', auth, who)
  if (stage === 'm.login.msisdn') return checkAddress(hs, 'msisdn', auth, who)
  if (stage === 'm.login.password') return checkPassword(hs, auth, who)
  return done()
}
