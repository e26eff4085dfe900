import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { countOneTimeKeys, listFallbackKeys } from '@causeway/store/tables/one-time-keys.ts'
import type { DeviceKeyCounts, KeyCounts } from './key-counts.ts'

async function readCounts(db: Database, userId: UserId, deviceId: DeviceId): Promise<DeviceKeyCounts> {
  const [counts, fallback] = await Promise.all([
    countOneTimeKeys(db, userId, deviceId),
    listFallbackKeys(db, userId, deviceId),
  ])
  return {
    // Clients take a missing count for "unknown" and upload nothing, so none is said as 0.
    counts: { signed_curve25519: 0, ...Object.fromEntries(counts) },
    unusedFallback: fallback.filter((key) => key.is_used === 0).map((key) => key.algorithm),
  }
}

/** Costs a share of the memory budget; a device that is not held costs two short queries. */
export function createKeyCounts({ db, budget }: { db: Database; budget: MemoryBudget }): KeyCounts {
  const cache = budget.cache({
    name: 'key_counts',
    share: 0.01,
    weigh: (value: DeviceKeyCounts, key: string) => 300 + 2 * key.length + 60 * value.unusedFallback.length,
  })
  const flights = createSingleFlight<string, DeviceKeyCounts>()
  const keyOf = (userId: UserId, deviceId: DeviceId): string => `${userId}|${deviceId}`
  return {
    of(userId, deviceId) {
      const key = keyOf(userId, deviceId)
      const held = cache.get(key)
      if (held !== undefined) return Promise.resolve(held)
      return flights.run(key, async (isCurrent) => {
        const counts = await readCounts(db, userId, deviceId)
        if (isCurrent()) cache.set(key, counts)
        return counts
      })
    },
    forget(userId, deviceId) {
      const key = keyOf(userId, deviceId)
      flights.forget(key)
      cache.delete(key)
    },
  }
}
