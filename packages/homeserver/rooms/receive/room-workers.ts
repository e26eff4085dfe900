import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'

/** Rooms seen to in the background: each by one worker at a time, not too many at once. */
export interface RoomWorkers extends AsyncDisposable {
  /** The room is seen to as soon as there is a place; again, when it is being seen to now. */
  wake(roomId: RoomId): void
  /** The same in a while. Another `wake` comes before it. */
  wakeLater(roomId: RoomId, ms: number): void
  /** Rooms that are being seen to or wait for a place. */
  active(): number
  /** Resolves when this room is not being seen to and does not wait for a place; what is left then is tried later. */
  settled(roomId: RoomId): Promise<void>
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
  /** Aborted by the end of the workers. */
  readonly signal: AbortSignal
}

export interface RoomWorkersOptions {
  readonly clock: Pick<Clock, 'setTimeout'>
  /** Rooms at once. */
  readonly limit: number
  /** Sees to a room. A failure is reported, unless the workers have ended. */
  readonly work: (roomId: RoomId, signal: AbortSignal) => Promise<void>
  readonly onFailure: (roomId: RoomId, error: unknown) => void
}

export function createRoomWorkers({ clock, limit, work, onFailure }: RoomWorkersOptions): RoomWorkers {
  const stopping = new AbortController()
  const { signal } = stopping
  const active = new Map<RoomId, Promise<void>>()
  const queued = new Set<RoomId>()
  const timers = new Map<RoomId, Timer>()

  function startNext(): void {
    for (const roomId of queued) {
      if (active.size >= limit) return
      if (active.has(roomId)) continue
      queued.delete(roomId)
      active.set(roomId, run(roomId))
    }
  }

  async function run(roomId: RoomId): Promise<void> {
    try {
      await work(roomId, signal)
    } catch (error) {
      if (!signal.aborted) onFailure(roomId, error)
    } finally {
      active.delete(roomId)
      startNext()
    }
  }

  function forgetTimer(roomId: RoomId): void {
    timers.get(roomId)?.cancel()
    timers.delete(roomId)
  }

  function wake(roomId: RoomId): void {
    forgetTimer(roomId)
    if (signal.aborted) return
    queued.add(roomId)
    startNext()
  }

  return {
    wake,
    wakeLater(roomId, ms) {
      forgetTimer(roomId)
      if (signal.aborted) return
      const timer = clock.setTimeout(() => wake(roomId), ms, { unref: true })
      timers.set(roomId, timer)
    },
    active: () => active.size + queued.size,
    async settled(roomId) {
      while (active.has(roomId) || queued.has(roomId)) {
        await (active.get(roomId) ?? Promise.race(active.values()))
      }
    },
    async idle() {
      while (active.size > 0) await Promise.all(active.values())
    },
    signal,
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the server stops'))
      for (const timer of timers.values()) timer.cancel()
      queued.clear()
      await Promise.all(active.values())
    },
  }
}
