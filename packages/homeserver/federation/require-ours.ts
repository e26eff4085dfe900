import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { isUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'

/** Throws `M_INVALID_PARAM` for a user of another server, about whom that server is to be asked. */
export function requireOurUser({ serverName }: { readonly serverName: ServerName }, userId: UserId): void {
  if (serverNameOf(userId) === serverName) return
  throw invalidParam(`${userId} is no user of ${serverName}; ask their own server`)
}

/** Those of several ids that are of users of ours; others are left out. */
export function usersOfOurs(
  { serverName }: { readonly serverName: ServerName },
  userIds: readonly string[],
): UserId[] {
  return userIds.filter((userId): userId is UserId => isUserId(userId) && serverNameOf(userId) === serverName)
}
