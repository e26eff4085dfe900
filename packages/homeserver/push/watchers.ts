import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import type { Log } from '@causeway/store/log/log.ts'
import {
  hasPushers,
  listPushersOfRoom,
  listPusherRefs,
  type PusherRef,
} from '@causeway/store/tables/pushers.ts'
import type { RoomEngine } from '../rooms/engine.ts'

/** The pushers of those who are in a room, by user; of nearly all rooms nobody's. */
export type RoomWatchers = ReadonlyMap<UserId, readonly PusherRef[]>

/**
 * Who has pushers in which room, as the reader of the log sees it. A room costs one query when it is first looked at,
 * and none while it is in memory.
 */
export interface Watchers {
  /** Takes note of an entry of the log, before it is acted on. False when nobody has a pusher at all. */
  note(entry: LogEntry): Promise<boolean>
  ofRoom(roomNid: number): Promise<RoomWatchers>
  /** A query. */
  ofUser(userId: UserId): Promise<readonly PusherRef[]>
  /** Entries come again: what was noted of them did not come to pass. */
  clear(): void
}

interface Held {
  readonly watchers: Map<UserId, readonly PusherRef[]>
  /** The log's position before they were read: what it holds up to there is in them. */
  readonly asOf: number
}

export interface WatchersDeps {
  readonly db: Database
  readonly log: Pick<Log, 'head'>
  readonly budget: MemoryBudget
  readonly rooms: Pick<RoomEngine, 'members' | 'serverName'>
}

const weigh = ({ watchers }: Held): number => {
  let bytes = 150
  for (const pushers of watchers.values()) bytes += 150 + pushers.length * 250
  return bytes
}

export function createWatchers({ db, log, budget, rooms }: WatchersDeps): Watchers {
  const cache: Cache<number, Held> = budget.cache({ name: 'push_watchers', share: 0.02, weigh })
  let anybody: boolean | undefined
  const ofUser = (userId: UserId): Promise<readonly PusherRef[]> => listPusherRefs(db, userId)
  const put = (roomNid: number, held: Held, userId: UserId, pushers: readonly PusherRef[]): void => {
    if (pushers.length === 0) held.watchers.delete(userId)
    else held.watchers.set(userId, pushers)
    cache.set(roomNid, held)
  }
  const noteMembers = async (entry: LogEntry): Promise<void> => {
    for (const { userId, membership, event } of memberChangesOf(entry)) {
      const held = cache.peek(event.roomNid)
      if (held === undefined || held.asOf >= entry.position || !userId.endsWith(`:${rooms.serverName}`))
        continue
      put(event.roomNid, held, userId, membership === 'join' ? await ofUser(userId) : [])
    }
  }
  const notePushers = async (userId: UserId): Promise<void> => {
    const pushers = await ofUser(userId)
    const { byId, joined } = await rooms.members.roomsOf(userId)
    for (const roomId of joined) {
      const { roomNid } = byId.get(roomId)!
      const held = cache.peek(roomNid)
      if (held !== undefined) put(roomNid, held, userId, pushers)
    }
  }
  return {
    async note(entry) {
      anybody ??= await hasPushers(db)
      if (entry.kind === 'pushers') anybody = true
      if (!anybody) return false
      if (entry.kind === 'pushers') await notePushers(entry.userId)
      else if (entry.kind === 'purge') cache.delete(entry.roomNid)
      else await noteMembers(entry)
      return true
    },
    async ofRoom(roomNid) {
      const known = cache.get(roomNid)
      if (known !== undefined) return known.watchers
      const asOf = log.head()
      const pushers = await listPushersOfRoom(db, roomNid)
      const watchers = Map.groupBy(pushers, ({ user_id: userId }) => userId as UserId)
      cache.set(roomNid, { watchers, asOf })
      return watchers
    },
    ofUser,
    clear: () => {
      cache.clear()
      anybody = undefined
    },
  }
}
