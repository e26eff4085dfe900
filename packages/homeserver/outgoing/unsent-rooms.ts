import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'

/**
 * For which receivers (servers, pushers) and rooms it is written down that something is unsent: then it need not be
 * written again. What is not known here costs a row that is there already, no more.
 */
export interface UnsentRooms<K> {
  /** Notes it; true when it was not known, and has to be written. */
  add(receiver: K, roomNid: number): boolean
  /**
   * The rows of a receiver are read, and then changed as if nothing had come since. Until this is disposed of, every write
   * changes them again: the first may have come before they were read, and the second, did it leave them as they are, after.
   * May be disposed of once they were read.
   */
  reading(receiver: K): Disposable
  /** What is added from here on is written together, and not with what was added before. */
  nextWrite(): void
  clear(): void
}

/** Of a receiver whose rows are being read. */
interface Reader {
  count: number
  /** Rooms that this write has changed. */
  readonly written: Set<number>
}

/** @param name of the cache */
export function createUnsentRooms<K>(budget: MemoryBudget, name: string): UnsentRooms<K> {
  const cache = budget.cache<K, Set<number>>({
    name,
    share: 0.005,
    weigh: (rooms) => 150 + rooms.size * 40,
  })
  const readers = new Map<K, Reader>()
  return {
    add(receiver, roomNid) {
      const written = readers.get(receiver)?.written
      const rooms = written ?? cache.get(receiver)
      if (rooms?.has(roomNid) === true) return false
      if (written === undefined) cache.set(receiver, (rooms ?? new Set()).add(roomNid))
      else written.add(roomNid)
      return true
    },
    reading(receiver) {
      cache.delete(receiver)
      const reader = readers.get(receiver) ?? { count: 0, written: new Set() }
      reader.count++
      readers.set(receiver, reader)
      return {
        [Symbol.dispose]() {
          if (--reader.count === 0) readers.delete(receiver)
        },
      }
    },
    nextWrite() {
      for (const { written } of readers.values()) written.clear()
    },
    clear: () => cache.clear(),
  }
}
