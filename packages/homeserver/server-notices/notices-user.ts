import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { findUser, insertUser } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { setField } from '../profile/set-field.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'config' | 'accounts' | 'serverNotices'>

/**
 * Makes the account that notices come from, which nobody can log in to, and shows it as it is configured now.
 * Throws `M_FORBIDDEN` when the account is somebody's.
 */
export async function ensureNoticesUser(hs: Deps): Promise<void> {
  const { userId } = hs.serverNotices
  const user = await findUser(hs.db, userId)
  if (user === undefined) await makeAccount(hs)
  else if (user.passwordHash !== '' || user.appserviceId !== '' || user.deactivatedTs !== 0) {
    throw new MatrixError(
      'M_FORBIDDEN',
      `${userId} is an account of somebody: choose another name under server_notices.localpart`,
    )
  }
  const { display_name: displayname, avatar_url } = hs.config.server_notices
  const fields = (await findProfiles(hs.db, [userId])).get(userId)
  for (const [field, value] of Object.entries({ displayname, avatar_url })) {
    if (fields?.get(field) !== value) await setField(hs, userId, { field, value, propagate: true })
  }
}

async function makeAccount({ db, clock, serverNotices: { userId } }: Deps): Promise<void> {
  const account = { userId, passwordHash: '', isAdmin: false, appserviceId: '', termsAccepted: '' }
  // Refused when another request has made it at the same moment: then it is there.
  await db.commit({ entries: [], steps: [insertUser({ ...account, createdTs: clock.now() })] })
}
