import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step, Write } from '@causeway/store/db/database.ts'
import { spendAddressSession } from '@causeway/store/tables/address-sessions.ts'
import { setProfileField } from '@causeway/store/tables/profiles.ts'
import { takeRegistrationToken } from '@causeway/store/tables/registration-tokens.ts'
import { insertThreepid, type Medium } from '@causeway/store/tables/threepids.ts'
import { insertUser } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { firstMailPusher } from '../push/email/mail-pusher.ts'
import { prepareSession } from './new-session.ts'
import type { ConfirmedAddress } from './uia/confirmed-addresses.ts'
import { userInUse } from './usernames.ts'

/** An account to be made; its name was checked. */
export interface NewAccount {
  readonly userId: UserId
  /** Undefined: nobody can log in with a password. */
  readonly password: string | undefined
  readonly isAdmin?: boolean
  /** They have no account but for as long as they are logged in. */
  readonly isGuest?: boolean
  readonly appserviceId?: string | undefined
  readonly displayName?: string | undefined
  /** To be used up by this. */
  readonly registrationToken?: string | undefined
  /** Addresses that were confirmed: added, and their sessions used up, by the same write. */
  readonly addresses?: readonly ConfirmedAddress[]
  /** Whether they are told at their e-mail address of messages that they miss. */
  readonly isToldByEmail?: boolean
  /** Versions of the documents that were agreed to, by their ids. */
  readonly termsAccepted?: Readonly<Record<string, string>> | undefined
  /** The first login, made together with the account. */
  readonly login?: {
    readonly deviceId: DeviceId | undefined
    readonly displayName: string | undefined
    readonly refreshable: boolean
  }
  readonly ip: string
}

/** The registration token was used up (by somebody else), expired or withdrawn since it was looked at. */
export class RegistrationTokenRefused extends Error {
  override readonly name = 'RegistrationTokenRefused'
}

/** An address belongs to somebody since it was confirmed, or its session was used. */
export class AddressTaken extends Error {
  override readonly name = 'AddressTaken'
  readonly medium: Medium

  constructor(medium: Medium) {
    super()
    this.medium = medium
  }
}

/** Passwords below this are refused with `M_WEAK_PASSWORD`. */
export const MIN_PASSWORD_LENGTH = 6
/** Longer ones would make the server hash megabytes. */
export const MAX_PASSWORD_LENGTH = 512

/** Throws `M_WEAK_PASSWORD` with what is wanted instead. */
export function requireGoodPassword(password: string): void {
  if (password.length < MIN_PASSWORD_LENGTH) {
    throw new MatrixError(
      'M_WEAK_PASSWORD',
      `A password needs at least ${MIN_PASSWORD_LENGTH} characters; a few words that only you put together are best`,
    )
  }
}

/**
 * Makes an account, and its first login with it, in one write. Answers what `/register` does.
 * Throws `M_USER_IN_USE`, `M_WEAK_PASSWORD`, `RegistrationTokenRefused` and `AddressTaken`.
 */
export async function registerUser(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random' | 'accounts'>,
  account: NewAccount,
): Promise<JsonObject> {
  const { userId, login, ip, password } = account
  if (password !== undefined) requireGoodPassword(password)
  const passwordHash = password === undefined ? '' : await hs.accounts.passwords.hash(password, ip)
  const session = login === undefined ? undefined : prepareSession(hs, { ...login, userId, ip })
  const steps: Step[] = tokenStep(hs, account)
  const claim = steps.length
  steps.push(
    insertUser({
      userId,
      passwordHash,
      isAdmin: account.isAdmin ?? false,
      isGuest: account.isGuest ?? false,
      appserviceId: account.appserviceId ?? '',
      createdTs: hs.clock.now(),
      termsAccepted: account.termsAccepted === undefined ? '' : JSON.stringify(account.termsAccepted),
    }),
  )
  if (account.displayName !== undefined)
    steps.push(setProfileField(userId, 'displayname', account.displayName))
  const named = steps.length
  const { addresses = [] } = account
  steps.push(...addresses.flatMap((one) => addressSteps(hs, userId, one)))
  const told = toldByEmail(hs, account)
  const result = await hs.db.commit({
    entries: told.entries,
    steps: [...steps, ...(session?.steps ?? []), ...told.steps],
  })
  if (result.ok) return session?.answer ?? { user_id: userId }
  if (result.step === claim) throw userInUse()
  const taken = result.step < named ? undefined : addresses[(result.step - named) >> 1]
  if (taken !== undefined) throw new AddressTaken(taken.medium)
  if (result.step < claim) throw new RegistrationTokenRefused()
  throw new MatrixError('M_UNKNOWN', 'The login was not stored; try again')
}

function toldByEmail(
  hs: Pick<Homeserver, 'clock' | 'random'>,
  { userId, addresses = [], isToldByEmail = false }: NewAccount,
): Write {
  const email = addresses.find(({ medium }) => medium === 'email')
  return email === undefined || !isToldByEmail
    ? { entries: [], steps: [] }
    : firstMailPusher(hs, userId, email.address)
}

/** Two for each. */
function addressSteps(
  { clock }: Pick<Homeserver, 'clock'>,
  userId: UserId,
  { sid, medium, address, validatedTs }: ConfirmedAddress,
): [Step, Step] {
  const row = { medium, address, user_id: userId, validated_ts: validatedTs, added_ts: clock.now() }
  return [spendAddressSession(sid), insertThreepid(row)]
}

function tokenStep(hs: Pick<Homeserver, 'clock'>, { registrationToken }: NewAccount): Step[] {
  return registrationToken === undefined ? [] : [takeRegistrationToken(registrationToken, hs.clock.now())]
}
