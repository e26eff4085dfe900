import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import {
  deleteRegistrationToken,
  insertRegistrationToken,
  type RegistrationToken,
} from '@causeway/store/tables/registration-tokens.ts'
import { setUserFlag, type UserFlag } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { registerUser } from './register-user.ts'
import { chooseUserId } from './usernames.ts'

// What administrators do to accounts. Listing: `listUsers`, `listRegistrationTokens` of the store's tables;
// resetting a password: `changePassword`; ending an account: `deactivateAccount`.

/**
 * Makes an account, whatever the registration mode is.
 * Throws `M_INVALID_USERNAME`, `M_EXCLUSIVE`, `M_USER_IN_USE` and `M_WEAK_PASSWORD`.
 */
export async function createUser(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random' | 'serverName' | 'accounts' | 'serverNotices'>,
  account: { readonly username: string; readonly password: string; readonly isAdmin?: boolean },
): Promise<UserId> {
  const userId = await chooseUserId(hs, account.username)
  const { password, isAdmin = false } = account
  await registerUser(hs, { userId, password, isAdmin, displayName: localpartOf(userId), ip: '' })
  return userId
}

const FLAG = {
  admin: 'is_admin',
  locked: 'is_locked',
  suspended: 'is_suspended',
  shadowBanned: 'is_shadow_banned',
} as const satisfies Record<string, UserFlag>

/** Makes somebody an administrator (or not), locks, suspends or shadow-bans an account. Throws `M_NOT_FOUND`. */
export async function setStanding(
  hs: Pick<Homeserver, 'db' | 'sessions'>,
  userId: UserId,
  standing: keyof typeof FLAG,
  value: boolean,
): Promise<void> {
  const result = await hs.db.commit({ entries: [], steps: [setUserFlag(userId, FLAG[standing], value)] })
  if (!result.ok) throw notFound(`There is no account ${userId} in use`)
  hs.sessions.forget(userId)
}

/** Opaque identifiers of at most 64 characters: they stand in addresses. */
const TOKEN = /^[A-Za-z0-9._~-]{1,64}$/

/**
 * Makes a registration token, with a random name unless one is given.
 * Throws `M_INVALID_PARAM` for a name that is not allowed or taken, or a number of uses below one.
 */
export async function createRegistrationToken(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random'>,
  wanted: {
    readonly token?: string
    readonly usesAllowed?: number
    readonly expiresTs?: number
    readonly makesAdmin?: boolean
  },
): Promise<RegistrationToken> {
  const { token = hs.random.token(24), usesAllowed, expiresTs, makesAdmin = false } = wanted
  if (!TOKEN.test(token)) {
    throw invalidParam('A registration token has at most 64 characters of A-Z, a-z, 0-9 and . _ ~ -')
  }
  if (usesAllowed !== undefined && !(Number.isSafeInteger(usesAllowed) && usesAllowed > 0)) {
    throw invalidParam('A token is good for at least one use')
  }
  const made = { token, usesAllowed, usesCompleted: 0, createdTs: hs.clock.now(), expiresTs, makesAdmin }
  const result = await hs.db.commit({ entries: [], steps: [insertRegistrationToken(made)] })
  if (!result.ok)
    throw new MatrixError('M_INVALID_PARAM', 'There is a registration token of this name already')
  return made
}

/** Withdraws a token. Accounts that were made with it stay. Throws `M_NOT_FOUND`. */
export async function revokeRegistrationToken(hs: Pick<Homeserver, 'db'>, token: string): Promise<void> {
  const result = await hs.db.commit({ entries: [], steps: [deleteRegistrationToken(token)] })
  if (!result.ok) throw notFound('There is no such registration token')
}
