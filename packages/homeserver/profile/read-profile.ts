import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { FederationError } from '../federation/federation-client.ts'
import { toClientError } from '../federation/to-client-error.ts'
import type { Homeserver } from '../homeserver.ts'

/** Fields of a profile by name. */
export type Profile = ReadonlyMap<string, JsonValue>

/**
 * The profile of a user of ours; empty for who shows nothing. Throws `M_NOT_FOUND` for who does not exist, or is there no
 * more and has left nothing.
 */
export async function readLocalProfile(hs: Pick<Homeserver, 'db'>, userId: UserId): Promise<Profile> {
  const profile = (await findProfiles(hs.db, [userId])).get(userId)
  if (profile !== undefined) return profile
  const user = await findUser(hs.db, userId)
  if (user !== undefined && user.deactivatedTs === 0) return new Map()
  throw notFound(`There is no profile of ${userId} here`)
}

/**
 * Anybody's profile: of users of ours from the tables, of others from their server.
 * Throws `M_NOT_FOUND`, `M_FORBIDDEN`, and `M_UNKNOWN` (502) where the server does not answer.
 */
export async function readProfile(
  hs: Pick<Homeserver, 'db' | 'serverName' | 'remoteProfiles'>,
  userId: UserId,
): Promise<Profile> {
  if (serverNameOf(userId) === hs.serverName) return readLocalProfile(hs, userId)
  try {
    return await hs.remoteProfiles.of(userId)
  } catch (error) {
    throw error instanceof FederationError ? toClientError(error) : error
  }
}
