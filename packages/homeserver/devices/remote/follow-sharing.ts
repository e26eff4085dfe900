import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import {
  listKeptMembers,
  listRemoteLists,
  listSteadilySharing,
  listStrayCopies,
} from '@causeway/store/tables/remote-devices.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { dropCopy, type CopyDeps, type CopyGuard } from './copies.ts'
import { followEntries, type Follower } from './follow-entries.ts'

export interface FollowDeps extends CopyDeps {
  readonly serverName: ServerName
  readonly guard: CopyGuard
  readonly bus: Bus
  readonly logger: Logger
  readonly rooms: RoomEngine
}

/** Somebody who is no longer joined to a room. */
interface Departure {
  readonly userId: UserId
  readonly roomNid: number
  readonly position: number
}

/**
 * Follows the log: a server tells us of its users' devices only for as long as a room is shared, so that a copy
 * must not outlive that, not even when a room is shared again a moment later.
 */
export function followSharing(deps: FollowDeps): Follower {
  return followEntries({
    log: deps.rooms.log,
    bus: deps.bus,
    begin: () => sweep(deps),
    next: (entries) => {
      if (entries === 'fell-behind') return () => sweep(deps)
      const departures: Departure[] = []
      for (const entry of entries) {
        for (const { userId, membership, event } of memberChangesOf(entry)) {
          if (membership === 'join') continue
          departures.push({ userId, roomNid: event.roomNid, position: entry.position })
          if (serverNameOf(userId) !== deps.serverName) deps.guard.watch.outdate(userId)
        }
      }
      return departures.length === 0 ? undefined : () => dropAfter(deps, departures)
    },
    onFault: (error) => deps.logger.error('copies of devices could not be looked through', { error }),
  })
}

/** At the start: what was not done when the process ended. */
async function sweep({ guard, db }: FollowDeps): Promise<void> {
  for (const userId of await listStrayCopies(db)) await dropCopy(guard, { db }, userId as UserId)
}

async function dropAfter(deps: FollowDeps, departures: readonly Departure[]): Promise<void> {
  for (const departure of departures) {
    const isOurs = serverNameOf(departure.userId) === deps.serverName
    const kept = isOurs ? await keptInEmptyRoom(deps, departure) : await keptOf(deps, departure.userId)
    if (kept.length === 0) continue
    const { position, roomNid } = departure
    const still = await listSteadilySharing(deps.db, kept, position, roomNid)
    for (const userId of kept) if (!still.has(userId)) await dropCopy(deps.guard, deps, userId as UserId)
  }
}

async function keptOf({ db }: FollowDeps, userId: UserId): Promise<string[]> {
  return (await listRemoteLists(db, [userId])).map((list) => list.user_id)
}

async function keptInEmptyRoom({ db, rooms }: FollowDeps, { roomNid }: Departure): Promise<string[]> {
  const locals = await rooms.members.localMembers(roomNid)
  return locals.size > 0 ? [] : listKeptMembers(db, roomNid)
}
