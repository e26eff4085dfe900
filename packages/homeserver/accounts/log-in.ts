import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { requireNoKeyNamed } from '@causeway/store/tables/cross-signing.ts'
import { replacePasswordHash, requireActiveUser, type UserRecord } from '@causeway/store/tables/users.ts'
import { explainDeviceName } from '../devices/device-names.ts'
import type { Homeserver } from '../homeserver.ts'
import { userLocked } from '../http/account-standing.ts'
import { prepareSession } from './new-session.ts'
import { findUserByName } from './usernames.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'serverName' | 'sessions' | 'accounts'>

/** The device of a login, as the client asks for it. */
export interface WantedDevice {
  readonly deviceId: DeviceId | undefined
  readonly displayName: string | undefined
  readonly refreshable: boolean
  /** When its token ends, if it cannot be refreshed, milliseconds; 0 or absent: never. */
  readonly expiresTs?: number
  readonly ip: string
}

/** One sentence for a wrong name and a wrong password: nobody learns which names exist. */
const wrongPassword = () => forbidden('User name or password is wrong')

/** Somebody who proved to be who they say, and the cheaper hash to be replaced, if theirs is. */
interface Proven {
  readonly user: UserRecord
  readonly betterHash: string | undefined
}

/**
 * Whose name and password these are; undefined when they are nobody's. It takes as long when there is nobody of
 * that name.
 * @param ip in whose line of the queue it waits
 */
export async function provePassword(
  hs: Pick<Deps, 'db' | 'serverName' | 'accounts'>,
  name: string,
  password: string,
  ip: string,
): Promise<Proven | undefined> {
  const found = await findUserByName(hs, name)
  const stored = found === undefined || found.deactivatedTs !== 0 ? '' : found.passwordHash
  const { ok, outdated } = await hs.accounts.passwords.check(password, stored, ip)
  if (!ok || found === undefined) return undefined
  return { user: found, betterHash: outdated ? await hs.accounts.passwords.hash(password, ip) : undefined }
}

/** A login by password. Throws `M_FORBIDDEN` and `M_USER_LOCKED`. */
export async function logInWithPassword(
  hs: Deps,
  credentials: { readonly name: string; readonly password: string },
  device: WantedDevice,
): Promise<JsonObject> {
  const proven = await provePassword(hs, credentials.name, credentials.password, device.ip)
  if (proven === undefined) throw wrongPassword()
  const { user, betterHash } = proven
  if (user.isLocked) throw userLocked()
  const { userId, passwordHash } = user
  const steps: Step[] = [requireActiveUser(userId, passwordHash)]
  if (betterHash !== undefined) steps.push(replacePasswordHash(userId, passwordHash, betterHash))
  return await storeLogin(hs, userId as UserId, device, steps)
}

/**
 * A login of somebody who is known otherwise (an appservice vouches, a token was given).
 * Throws `M_FORBIDDEN` and `M_USER_LOCKED`. @param proof what has to hold, and is used up by the same write
 */
export async function logInAs(
  hs: Deps,
  user: UserRecord,
  device: WantedDevice,
  proof: readonly Step[] = [],
): Promise<JsonObject> {
  if (user.isLocked) throw userLocked()
  return await storeLogin(hs, user.userId as UserId, device, [requireActiveUser(user.userId), ...proof])
}

async function storeLogin(
  hs: Deps,
  userId: UserId,
  device: WantedDevice,
  steps: readonly Step[],
): Promise<JsonObject> {
  const session = prepareSession(hs, { ...device, userId })
  const result = await hs.db.commit({
    entries: [],
    steps: [...steps, requireNoKeyNamed(userId, session.deviceId), ...session.steps],
  })
  if (!result.ok) {
    await explainDeviceName(hs, userId, session.deviceId)
    // The account ended, or its password changed, while this one was being checked.
    throw wrongPassword()
  }
  hs.sessions.forget(userId, session.deviceId)
  return session.answer
}
