import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findDevice } from '@causeway/store/tables/devices.ts'
import type { UserRecord } from '@causeway/store/tables/users.ts'
import type { TokenUse } from '../http/authenticate.ts'
import type { Session } from '../http/endpoint.ts'
import { findAccount, type AccountDeps } from './owner.ts'
import type { Appservice } from './registration.ts'
import { findAppserviceByToken, isUserOf } from './registry.ts'

/**
 * Who an appservice acts as: the user it names, or its sender. Undefined when the token is no appservice's;
 * a MatrixError when it may not act as that user, or the user or the device does not exist.
 * https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
 */
export async function findAppserviceSession(
  deps: AccountDeps,
  token: string,
  { masqueradeAs, deviceId }: TokenUse,
): Promise<Session | MatrixError | undefined> {
  const appservice = findAppserviceByToken(deps.registry, token)
  if (appservice === undefined) return undefined
  const userId = masqueradeAs ?? appservice.sender
  if (!isUserOf(deps.registry, appservice, userId)) {
    return forbidden(
      `The application service ${appservice.id} may not act as ${userId}: it is not in its namespaces`,
    )
  }
  const user = await findAccount(deps, userId)
  if (user === undefined) return forbidden(`${userId} is not registered; register it first`)
  if (user.deactivatedTs !== 0) return new MatrixError('M_USER_DEACTIVATED', `${userId} was deactivated`)
  if (deviceId !== undefined && !(await isLoginDevice(deps, userId, deviceId))) {
    return new MatrixError('M_UNKNOWN_DEVICE', `${userId} has no device ${deviceId}`)
  }
  return sessionOf(appservice, user, deviceId)
}

/** Whether there is such a device. A dehydrated one receives messages, and acts by nobody. */
async function isLoginDevice({ db }: AccountDeps, userId: string, deviceId: string): Promise<boolean> {
  const device = await findDevice(db, userId, deviceId)
  return device !== undefined && !device.isDehydrated
}

function sessionOf(appservice: Appservice, user: UserRecord, deviceId: string | undefined): Session {
  return {
    userId: user.userId as UserId,
    deviceId: deviceId as DeviceId | undefined,
    // A namespace may cover people; acting as one of them must not make an appservice an administrator.
    isAdmin: user.isAdmin && user.appserviceId === appservice.id,
    isGuest: user.isGuest,
    appserviceId: appservice.id,
    isRateLimited: appservice.rateLimited && user.userId !== appservice.sender,
    tokenNid: undefined,
    standing: user.isLocked ? 'locked' : user.isSuspended ? 'suspended' : undefined,
  }
}
