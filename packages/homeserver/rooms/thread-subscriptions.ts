import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listSubscribedThreads } from '@causeway/store/tables/thread-subscriptions.ts'

/** The threads that one user is subscribed to. */
export interface SubscribedThreads {
  has(roomNid: number, threadId: string): boolean
  readonly size: number
}

/** Who is subscribed to which threads: one query a user, and none while they are in memory. */
export interface ThreadSubscriptions {
  /** The same object until one of them changes. */
  of(userId: UserId): Promise<SubscribedThreads>
  /** Takes in an entry of the log. */
  apply(entry: LogEntry): void
  /** Forgets everything: entries may have been missed. */
  clear(): void
}

export function createThreadSubscriptions(db: Database, budget: MemoryBudget): ThreadSubscriptions {
  const held = budget.cache<UserId, SubscribedThreads>({
    name: 'thread_subscriptions',
    share: 0.01,
    weigh: ({ size }) => 200 + size * 180,
  })
  const loads = createSingleFlight<UserId, SubscribedThreads>()
  return {
    async of(userId) {
      const known = held.get(userId)
      if (known !== undefined) return known
      return loads.run(userId, async (isCurrent) => {
        const threads = await load(db, userId)
        if (isCurrent()) held.set(userId, threads)
        return threads
      })
    },
    apply(entry) {
      if (entry.kind !== 'thread_subscription') return
      loads.forget(entry.userId)
      held.delete(entry.userId)
    },
    clear() {
      loads.forgetAll()
      held.clear()
    },
  }
}

async function load(db: Database, userId: UserId): Promise<SubscribedThreads> {
  const rows = await listSubscribedThreads(db, userId)
  // The id of an event of the first room versions is unique in its room only.
  const names = new Set(rows.map(({ room_nid: roomNid, thread_id: threadId }) => `${roomNid} ${threadId}`))
  return { has: (roomNid, threadId) => names.has(`${roomNid} ${threadId}`), size: names.size }
}
