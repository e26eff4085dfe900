import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Log } from '@causeway/store/log/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import type { SubscribedThreads } from '../rooms/thread-subscriptions.ts'
import type { Unread } from '../unread/counts.ts'
import type { PushRules, UserPushRules } from '../user-data/push-rules.ts'

/** How many messages a user has not read, over all rooms they are in, those in threads too. */
export interface Badges {
  of(userId: UserId): Promise<number>
}

export interface BadgesDeps {
  readonly log: Log
  readonly budget: MemoryBudget
  readonly rooms: RoomEngine
  readonly unread: Unread
  readonly pushRules: Pick<PushRules, 'of'>
}

interface Held {
  readonly byRoom: ReadonlyMap<number, number>
  /** Log position as of which they were counted. */
  readonly upTo: number
  readonly rules: UserPushRules
  readonly ignored: readonly string[]
  readonly threads: SubscribedThreads | undefined
}

/** Rooms that are counted together beforehand. */
const MANY = 4

/** Keeps the counts of each room, and asks anew only for rooms in which something has happened since. */
export function createBadges({ log, budget, rooms, unread, pushRules }: BadgesDeps): Badges {
  const cache = budget.cache<UserId, Held>({
    name: 'push_badges',
    share: 0.01,
    weigh: ({ byRoom }) => 300 + byRoom.size * 60,
  })
  const hasChanged = (roomId: string, since: number): boolean =>
    log.changes.event.mayHaveChanged(roomId, since) || log.changes.receipt.mayHaveChanged(roomId, since)
  const staleRooms = (joined: readonly UserRoom[], held: Held | undefined): UserRoom[] =>
    joined.filter(
      ({ roomId, roomNid }) =>
        held === undefined || !held.byRoom.has(roomNid) || hasChanged(roomId, held.upTo),
    )
  return {
    async of(userId) {
      const upTo = log.head()
      const { byId, joined: joinedIds } = await rooms.members.roomsOf(userId)
      const joined = [...joinedIds].map((roomId) => byId.get(roomId)!)
      const [rules, ignored] = await Promise.all([pushRules.of(userId), rooms.ignored.of(userId)])
      const threads = rules.compiled.asksForThreads ? await rooms.threads.of(userId) : undefined
      const known = cache.get(userId)
      const isSameWay = known?.rules === rules && known.ignored === ignored && known.threads === threads
      const held = isSameWay && known.upTo <= upTo ? known : undefined
      const stale = staleRooms(joined, held)
      if (stale.length > MANY) await unread.prepare(userId, stale, upTo)
      const fresh = new Map<number, number>()
      for (const { roomNid } of stale) {
        const { main } = await unread.countsOf(userId, await getRoomByNid(rooms, roomNid), upTo)
        fresh.set(roomNid, main.notify)
      }
      const byRoom = new Map(
        joined.map(({ roomNid }) => [roomNid, fresh.get(roomNid) ?? held?.byRoom.get(roomNid) ?? 0]),
      )
      cache.set(userId, { byRoom, upTo, rules, ignored, threads })
      return [...byRoom.values()].reduce((sum, count) => sum + count, 0)
    },
  }
}
