import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'

/**
 * For which servers and rooms it is written down that something is unsent: then it need not be written again. What
 * is not known here costs a row that is there already, no more.
 */
export interface UnsentRooms {
  /** Notes it; true when it was not known, and has to be written. */
  add(server: ServerName, roomNid: number): boolean
  /** The rows of a server are about to be read and changed: from now on they are written again. */
  forget(server: ServerName): void
  clear(): void
}

export function createUnsentRooms(budget: MemoryBudget): UnsentRooms {
  const cache = budget.cache<ServerName, Set<number>>({
    name: 'unsent_rooms',
    share: 0.005,
    weigh: (rooms) => 150 + rooms.size * 40,
  })
  return {
    add(server, roomNid) {
      const rooms = cache.get(server)
      if (rooms?.has(roomNid) === true) return false
      cache.set(server, (rooms ?? new Set()).add(roomNid))
      return true
    },
    forget: (server) => void cache.delete(server),
    clear: () => cache.clear(),
  }
}
