import { Type, type Static, type TSchema, type TUnsafe } from 'typebox'
import { canonicalJsonWithout } from '@causeway/matrix/json/canonical.ts'
import { badJson, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'

/** An object with keys of the client's choice, at most `limit` of them, whose values are all of one kind. */
export function mapOf<T extends TSchema>(values: T, limit: number): TUnsafe<Record<string, Static<T>>> {
  // Not Type.Record: its pattern for keys leaves out those with a line break, whose values would go unchecked.
  return Type.Unsafe<Record<string, Static<T>>>(
    Type.Object({}, { additionalProperties: values, maxProperties: limit }),
  )
}

/** User → key id → signature. */
export const signatures = mapOf(mapOf(Type.String({ maxLength: 1_000 }), 100), 100)

/** Users that one request may name. */
export const MAX_USERS = 10_000

/** Room for requests about the devices of everybody in a large room. */
export const MAX_KEYS_BODY_BYTES = 2 * 1024 * 1024

/** The device that asks. Appservices need not have one. */
export function requireDevice(session: Session): DeviceId {
  if (session.deviceId === undefined) throw invalidParam('This is for devices: name a device_id')
  return session.deviceId
}

/** As canonical JSON without `unsigned`, which others must not see from here. Throws `M_BAD_JSON` when too large. */
export function keyText(what: string, key: object, maxLength: number): string {
  const text = canonicalJsonWithout(key, ['unsigned'])
  if (text.length > maxLength) throw badJson(`${what} is longer than ${maxLength} characters`)
  return text
}

/**
 * Users by whose they are: ours, and those of other servers. Throws `M_INVALID_PARAM` for what is no user id.
 */
export function splitUsers(
  hs: Pick<Homeserver, 'serverName'>,
  userIds: readonly string[],
): { local: UserId[]; remote: UserId[] } {
  const local: UserId[] = []
  const remote: UserId[] = []
  for (const userId of userIds) {
    if (!isUserId(userId)) throw invalidParam(`${userId.slice(0, 255)} is not a user id`)
    if (serverNameOf(userId) === hs.serverName) local.push(userId)
    else remote.push(userId)
  }
  return { local, remote }
}

/** How long other servers are waited for, in milliseconds, by what the client asks for. */
export function serverTimeout(timeout: number | undefined): number {
  return Math.min(Math.max(timeout ?? DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS)
}

const DEFAULT_TIMEOUT_MS = 10_000
const MIN_TIMEOUT_MS = 100
const MAX_TIMEOUT_MS = 60_000
