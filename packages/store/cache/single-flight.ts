/** Concurrent loads of one key share one promise; nothing is kept once it has settled. */
export interface SingleFlight<K, V> {
  /**
   * The load under way for `key`, or a new one by `load`. A failure reaches all who share it. `load` asks
   * `isCurrent` before it caches what it read: false when the key was forgotten meanwhile.
   */
  run(key: K, load: (isCurrent: () => boolean) => Promise<V>): Promise<V>
  /** Later callers start anew, because what the load under way reads may be outdated by now. */
  forget(key: K): void
  /** The same for every key. */
  forgetAll(): void
  /** Loads under way. */
  size(): number
}

export function createSingleFlight<K, V>(): SingleFlight<K, V> {
  const flights = new Map<K, Promise<V>>()
  return {
    run(key, load) {
      const underWay = flights.get(key)
      if (underWay !== undefined) return underWay
      const { promise, resolve } = Promise.withResolvers<V>()
      flights.set(key, promise)
      const isCurrent = (): boolean => flights.get(key) === promise
      const end = (): void => void (isCurrent() && flights.delete(key))
      promise.then(end, end)
      // Inside a promise, so that a load that throws before its first await comes out as a rejection too.
      resolve(new Promise<V>((settle) => settle(load(isCurrent))))
      return promise
    },
    forget: (key) => void flights.delete(key),
    forgetAll: () => flights.clear(),
    size: () => flights.size,
  }
}
