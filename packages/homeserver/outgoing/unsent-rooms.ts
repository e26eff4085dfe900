import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'

/**
 * For which receivers (servers, pushers) and rooms it is written down that something is unsent: then it need not be
 * written again. What is not known here costs a row that is there already, no more.
 */
export interface UnsentRooms<K> {
  /** Notes it; true when it was not known, and has to be written. */
  add(receiver: K, roomNid: number): boolean
  /** The rows of a receiver are about to be read and changed: from now on they are written again. */
  forget(receiver: K): void
  clear(): void
}

/** @param name of the cache */
export function createUnsentRooms<K>(budget: MemoryBudget, name: string): UnsentRooms<K> {
  const cache = budget.cache<K, Set<number>>({
    name,
    share: 0.005,
    weigh: (rooms) => 150 + rooms.size * 40,
  })
  return {
    add(receiver, roomNid) {
      const rooms = cache.get(receiver)
      if (rooms?.has(roomNid) === true) return false
      cache.set(receiver, (rooms ?? new Set()).add(roomNid))
      return true
    },
    forget: (receiver) => void cache.delete(receiver),
    clear: () => cache.clear(),
  }
}
