import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'

/**
 * Whose answers rooms wait for. Only so many rooms at once wait for one server: one that lets everybody wait, in as many
 * rooms as it likes, leaves the other places to the rooms of others.
 */
export interface ServerTurns {
  /** A turn for this room, which has to be given back; undefined when the server has no more for now. */
  take(server: ServerName, roomId: RoomId): (() => void) | undefined
  /** Keeps the next turn of the server that is given back for this room, and calls it to take that. */
  whenFree(server: ServerName, roomId: RoomId, call: () => void): void
  /** The room takes none of the turns that are kept for it: they go to the next. */
  leave(roomId: RoomId): void
}

/** @param limit turns of one server at a time */
export function createServerTurns(limit: number): ServerTurns {
  /** Turns that are taken or kept. */
  const counts = new Map<ServerName, number>()
  const kept = new Map<RoomId, Set<ServerName>>()
  const waiting = new Map<ServerName, Map<RoomId, () => void>>()

  function giveBack(server: ServerName): void {
    const rooms = waiting.get(server)
    const [next] = rooms ?? []
    if (rooms === undefined || next === undefined) {
      const left = counts.get(server)! - 1
      if (left === 0) counts.delete(server)
      else counts.set(server, left)
      return
    }
    const [roomId, call] = next
    rooms.delete(roomId)
    if (rooms.size === 0) waiting.delete(server)
    kept.set(roomId, (kept.get(roomId) ?? new Set()).add(server))
    call()
  }

  function isKept(server: ServerName, roomId: RoomId): boolean {
    const servers = kept.get(roomId)
    if (servers?.delete(server) !== true) return false
    if (servers.size === 0) kept.delete(roomId)
    return true
  }

  return {
    take(server, roomId) {
      if (!isKept(server, roomId)) {
        const count = counts.get(server) ?? 0
        if (count >= limit) return undefined
        counts.set(server, count + 1)
      }
      let isTaken = true
      return () => {
        if (isTaken) giveBack(server)
        isTaken = false
      }
    },
    whenFree(server, roomId, call) {
      const rooms = waiting.get(server) ?? new Map<RoomId, () => void>()
      waiting.set(server, rooms.set(roomId, call))
    },
    leave(roomId) {
      const servers = kept.get(roomId) ?? []
      kept.delete(roomId)
      for (const server of servers) giveBack(server)
    },
  }
}
