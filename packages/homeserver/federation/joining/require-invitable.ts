import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { ensureUserThroughAppservice } from '../../appservice/query.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { RequireInvitable } from './joining.ts'
import { requireInviteWanted } from '../../rooms/invite-permissions.ts'

/** Refuses invitations of users who are not there, or not any more, or who do not want them. */
export function requireInvitable(
  hs: Pick<Homeserver, 'db' | 'rooms' | 'appservices' | 'logger'>,
): RequireInvitable {
  return async (userId, inviter) => {
    await ensureUserThroughAppservice(hs, userId)
    const user = await findUser(hs.db, userId)
    if (user === undefined) throw new MatrixError('M_NOT_FOUND', `There is no user ${userId} on this server`)
    if (user.deactivatedTs !== 0) throw forbidden(`${userId} has left this server and cannot be invited`)
    await requireInviteWanted(hs.rooms, inviter, userId)
  }
}
