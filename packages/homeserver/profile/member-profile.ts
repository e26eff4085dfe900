import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { FederationError } from '../federation/federation-client.ts'
import type { Homeserver } from '../homeserver.ts'
import type { MemberProfile } from '../rooms/member-content.ts'
import type { Profile } from './read-profile.ts'
import { shownText } from './remote-profiles.ts'

type Deps = Pick<Homeserver, 'db' | 'serverName' | 'remoteProfiles' | 'clock'>

/** An invitation waits no longer for the name of who is invited, in milliseconds. */
const WAIT_MS = 3_000

/**
 * What users show in rooms: users of ours by the tables, others by what their server says in time. Users without
 * a profile have an empty one. May wait for the network: not inside a room's queue.
 */
export async function readMemberProfiles(
  hs: Deps,
  userIds: readonly UserId[],
): Promise<(userId: UserId) => MemberProfile> {
  const [local, remote] = [new Array<UserId>(), new Array<UserId>()]
  for (const userId of userIds) (serverNameOf(userId) === hs.serverName ? local : remote).push(userId)
  const [ours, theirs] = await Promise.all([findProfiles(hs.db, local), readRemote(hs, remote)])
  return (userId) => {
    const fields = ours.get(userId)
    const foreign = theirs.get(userId)
    if (fields === undefined && foreign !== undefined) {
      return {
        displayName: shownText('displayname', foreign.get('displayname')),
        avatarUrl: shownText('avatar_url', foreign.get('avatar_url')),
      }
    }
    return { displayName: textOf(fields?.get('displayname')), avatarUrl: textOf(fields?.get('avatar_url')) }
  }
}

async function readRemote(hs: Deps, userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, Profile>> {
  const found = new Map<UserId, Profile>()
  if (userIds.length === 0) return found
  const asking = userIds.map(async (userId) => {
    try {
      found.set(userId, await hs.remoteProfiles.of(userId))
    } catch (error) {
      if (!(error instanceof FederationError)) throw error
    }
  })
  const all = Promise.all(asking)
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = hs.clock.setTimeout(resolve, WAIT_MS, { unref: true })
  try {
    await Promise.race([all, late])
  } finally {
    timer.cancel()
  }
  // Whoever answers later is too late for this event.
  return new Map(found)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
