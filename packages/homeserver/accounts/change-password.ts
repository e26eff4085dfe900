import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { deleteLoginTokens } from '@causeway/store/tables/login-tokens.ts'
import { deletePushersOfOthers } from '@causeway/store/tables/pushers.ts'
import { deleteOtherTokens } from '@causeway/store/tables/tokens.ts'
import { setPasswordHash } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { endDevicesWrite, forgetDevices, listLoginDeviceIds } from './end-devices.ts'
import { requireGoodPassword } from './register-user.ts'

/**
 * Sets a new password. Unless `keepDevices`, every device but `except` is logged out in the same write;
 * a dehydrated one stays, which nobody is logged in on: who lost all devices and the password too reads by it what came.
 * Throws `M_WEAK_PASSWORD`, and `M_NOT_FOUND` for an account that is not in use.
 */
export async function changePassword(
  hs: Pick<Homeserver, 'db' | 'clock' | 'sessions' | 'keyCounts' | 'accounts'>,
  userId: UserId,
  password: string,
  {
    keepDevices,
    except,
    proof = [],
  }: {
    readonly keepDevices: boolean
    readonly except?: DeviceId | undefined
    /** What has to hold, and is used up by the same write. */
    readonly proof?: readonly Step[]
  },
): Promise<void> {
  requireGoodPassword(password)
  const passwordHash = await hs.accounts.passwords.hash(password, userId)
  const ending = keepDevices ? [] : (await listLoginDeviceIds(hs, userId)).filter((id) => id !== except)
  const { entries, steps } = await endDevicesWrite(hs, userId, ending)
  const result = await hs.db.commit({
    entries,
    steps: [
      ...proof,
      setPasswordHash(userId, passwordHash),
      deleteLoginTokens(userId),
      ...steps,
      // Also of a device that logged in with the old password since they were listed.
      ...(keepDevices
        ? []
        : [...deleteOtherTokens(userId, except ?? ''), ...deletePushersOfOthers(userId, except ?? '')]),
    ],
  })
  if (!result.ok) throw notFound(`There is no account ${userId} in use`)
  hs.sessions.forget(userId)
  forgetDevices(hs, userId, ending)
}
