import { Type } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findUser, type UserRecord } from '@causeway/store/tables/users.ts'
import { userIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'

/** The user that a path names. */
export const UserParams = Type.Object({ userId: userIdText })

/** Throws `M_INVALID_PARAM` for a user of another server. */
export function requireLocal({ serverName }: Pick<Homeserver, 'serverName'>, userId: UserId): void {
  if (serverNameOf(userId) !== serverName)
    throw invalidParam(`${userId} has no account here, but on ${serverNameOf(userId)}`)
}

/** An account of this server, also one that was deactivated. Throws `M_INVALID_PARAM` and `M_NOT_FOUND`. */
export async function requireAccount(
  hs: Pick<Homeserver, 'serverName' | 'db'>,
  userId: UserId,
): Promise<UserRecord> {
  requireLocal(hs, userId)
  const user = await findUser(hs.db, userId)
  if (user === undefined) throw notFound('User not found')
  return user
}
