import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteAddressSessionsOf } from '@causeway/store/tables/address-sessions.ts'
import { deleteScheduledOf } from '@causeway/store/tables/delayed-events.ts'
import { deleteIdentityBindings } from '@causeway/store/tables/identity-bindings.ts'
import { deleteProfile } from '@causeway/store/tables/profiles.ts'
import { deletePushersOfUser } from '@causeway/store/tables/pushers.ts'
import { deleteThreepids } from '@causeway/store/tables/threepids.ts'
import { deleteUserJobs, putUserJob } from '@causeway/store/tables/user-jobs.ts'
import { deactivateUser, markErased } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { bindingsOf, unbindAddresses, type UnbindResult } from '../identity/unbind.ts'
import { endDevicesWrite, forgetDevices, listDeviceIds } from './end-devices.ts'

/**
 * Ends an account for good: nobody can log in, every device ends, and in the background it leaves its rooms.
 * The name stays taken. With `erase`, the profile goes at once, and all else that the user left behind in a job,
 * what they said included (`jobs/erase-user.ts`). What identity servers publish of the user is unbound first, as far as
 * they do that within some seconds. Throws `M_NOT_FOUND` when it is not in use.
 * https://spec.matrix.org/v1.19/client-server-api/#account-deactivation
 * @param idServer an identity server that the user names, beside those that are remembered
 */
export async function deactivateAccount(
  hs: Pick<
    Homeserver,
    'db' | 'clock' | 'random' | 'sessions' | 'keyCounts' | 'accounts' | 'jobs' | 'identity' | 'logger'
  >,
  userId: UserId,
  erase: boolean,
  idServer?: string,
): Promise<UnbindResult> {
  const unbound = await unbindAddresses(hs, await bindingsOf(hs, userId, { also: idServer }))
  const devices = await listDeviceIds(hs, userId)
  const { entries, steps } = await endDevicesWrite(hs, userId, devices)
  const result = await hs.db.commit({
    entries,
    steps: [
      deactivateUser(userId, hs.clock.now(), erase),
      ...steps,
      ...deletePushersOfUser(userId),
      deleteThreepids(userId),
      deleteAddressSessionsOf(userId),
      deleteIdentityBindings(userId),
      deleteUserJobs(userId),
      deleteScheduledOf(userId),
      putUserJob(userId, 'leave', hs.random.token(8)),
      ...(erase ? [deleteProfile(userId), hs.jobs.row('erase_user', userId)] : []),
    ],
  })
  if (!result.ok) throw notFound(`There is no account ${userId} in use`)
  hs.sessions.forget(userId)
  forgetDevices(hs, userId, devices)
  hs.accounts.jobs.wake(userId)
  if (erase) hs.jobs.wake()
  return unbound
}

/** Erases an account that ended without it, as `deactivateAccount` would have. What was erased before is left alone. */
export async function eraseDeactivated(hs: Pick<Homeserver, 'db' | 'jobs'>, userId: UserId): Promise<void> {
  const steps = [markErased(userId), deleteProfile(userId), hs.jobs.row('erase_user', userId)]
  if ((await hs.db.commit({ entries: [], steps })).ok) hs.jobs.wake()
}
