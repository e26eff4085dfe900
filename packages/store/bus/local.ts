/**
 * Announces how far the log has got: positions, never payloads (law 4). Whoever misses an announcement loses
 * time, never data: arm first (`subscribe`), then read the position.
 */
export interface Bus {
  /** The log is now at `position`. One that is not above the last is dropped. */
  publish(position: number): void
  /** Calls `listener` at every announcement from now on, until the returned function is called. */
  subscribe(listener: (position: number) => void): () => void
  /** The last position announced; 0 before the first. */
  position(): number
}

/**
 * The bus within one process.
 * @param onError is told what a listener threw; the other listeners are called all the same.
 */
export function createLocalBus(onError: (error: unknown) => void): Bus {
  const listeners = new Set<{ readonly call: (position: number) => void }>()
  let last = 0
  return {
    publish(position) {
      if (position <= last) return
      last = position
      // A copy, since a listener that is woken usually leaves.
      for (const listener of [...listeners]) {
        if (!listeners.has(listener)) continue
        try {
          listener.call(position)
        } catch (error) {
          onError(error)
        }
      }
    },
    subscribe(call) {
      const listener = { call }
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    position: () => last,
  }
}
