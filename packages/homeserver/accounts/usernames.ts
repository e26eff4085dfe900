import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { formatUserId, parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findUser, type UserRecord } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'

type Deps = Pick<Homeserver, 'db' | 'serverName' | 'accounts' | 'serverNotices'>

/**
 * The id a new account would have. Capitals are taken for small letters.
 * @param appserviceId of the appservice that registers; absent for people
 * Throws `M_INVALID_USERNAME`, `M_EXCLUSIVE` and `M_USER_IN_USE`.
 */
export async function chooseUserId(hs: Deps, username: string, appserviceId?: string): Promise<UserId> {
  const userId = formatUserId(username.toLowerCase(), hs.serverName)
  if (userId === undefined) {
    throw new MatrixError(
      'M_INVALID_USERNAME',
      'A user name may hold the letters a to z, digits, and . _ = - / +, and must not be too long',
    )
  }
  requireNamespace(hs, userId, appserviceId)
  if (userId === hs.serverNotices.userId) throw userInUse()
  if ((await findUser(hs.db, userId)) !== undefined) throw userInUse()
  return userId
}

export function userInUse(): MatrixError {
  return new MatrixError('M_USER_IN_USE', 'This user name is taken; choose another')
}

function requireNamespace({ accounts }: Deps, userId: UserId, appserviceId: string | undefined): void {
  if (appserviceId === undefined && userId.startsWith('@_')) {
    throw new MatrixError(
      'M_INVALID_USERNAME',
      'User names that begin with _ are kept for application services',
    )
  }
  accounts.hooks.checkUserClaim?.(userId, appserviceId)
}

/** An account of ours by what a person types: a user id or its local part, in any case. */
export async function findUserByName(
  hs: Pick<Deps, 'db' | 'serverName'>,
  name: string,
): Promise<UserRecord | undefined> {
  const text = name.startsWith('@') ? name : `@${name}:${hs.serverName}`
  const userId = parseUserId(text)
  if (userId === undefined || serverNameOf(userId) !== hs.serverName) return undefined
  const lower = text.slice(0, -hs.serverName.length).toLowerCase() + hs.serverName
  return (await findUser(hs.db, userId)) ?? (lower === text ? undefined : findUser(hs.db, lower))
}
