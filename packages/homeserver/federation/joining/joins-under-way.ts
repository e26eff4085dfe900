import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'

/** Rooms that users of ours are just coming into: others send there already, since they have answered the join. */
export interface JoinsUnderWay {
  during<T>(roomId: RoomId, join: () => Promise<T>): Promise<T>
  /** Resolves when no join of a room is under way, or after so many milliseconds; undefined: none is. */
  ended(roomId: RoomId, withinMs: number): Promise<void> | undefined
}

export function createJoinsUnderWay(clock: Clock): JoinsUnderWay {
  /** As many as there are requests for it. */
  const joins = new Map<RoomId, Set<Promise<unknown>>>()
  return {
    async during(roomId, join) {
      const ofRoom = joins.get(roomId) ?? new Set()
      joins.set(roomId, ofRoom)
      const one = join()
      ofRoom.add(one)
      try {
        return await one
      } finally {
        ofRoom.delete(one)
        if (ofRoom.size === 0) joins.delete(roomId)
      }
    },
    ended(roomId, withinMs) {
      const ofRoom = joins.get(roomId)
      if (ofRoom === undefined) return undefined
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = clock.setTimeout(resolve, withinMs, { unref: true })
      void Promise.allSettled(ofRoom).then(() => resolve())
      return promise.finally(() => timer.cancel())
    },
  }
}
