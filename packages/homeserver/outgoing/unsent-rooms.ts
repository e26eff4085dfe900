import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'

/**
 * For which receivers (servers, pushers) and rooms it is written down that something is unsent: then it need not be
 * written again. What is not known here costs a row that is there already, no more.
 */
export interface UnsentRooms<K> {
  /** Notes it; true when it was not known, and has to be written. */
  add(receiver: K, roomNid: number): boolean
  /**
   * The rows of a receiver are read, and then changed as if nothing had come since. Until this is disposed of, `add` is true
   * for whatever comes, so that it changes the rows: the first of it may have come before they were read, and the second,
   * were it not written, after.
   */
  reading(receiver: K): Disposable
  clear(): void
}

/** @param name of the cache */
export function createUnsentRooms<K>(budget: MemoryBudget, name: string): UnsentRooms<K> {
  const cache = budget.cache<K, Set<number>>({
    name,
    share: 0.005,
    weigh: (rooms) => 150 + rooms.size * 40,
  })
  const readers = new Map<K, number>()
  return {
    add(receiver, roomNid) {
      if (readers.has(receiver)) return true
      const rooms = cache.get(receiver)
      if (rooms?.has(roomNid) === true) return false
      cache.set(receiver, (rooms ?? new Set()).add(roomNid))
      return true
    },
    reading(receiver) {
      cache.delete(receiver)
      readers.set(receiver, (readers.get(receiver) ?? 0) + 1)
      return {
        [Symbol.dispose]() {
          const others = readers.get(receiver)! - 1
          if (others === 0) readers.delete(receiver)
          else readers.set(receiver, others)
        },
      }
    },
    clear: () => cache.clear(),
  }
}
