import { Cache } from './lru.ts'
import type { CacheFigures } from './lru.ts'

export interface CacheOptions<K, V> {
  /** As the metrics show it. */
  readonly name: string
  /** Its part of the budget, above 0; where the parts of all add up to more than the whole, each gets less. */
  readonly share: number
  /** Estimated bytes of key and value in memory; the cache adds what its own slot costs. */
  readonly weigh: (value: V, key: K) => number
}

/** One number of bytes which all caches of the process share out among themselves (law 7). */
export interface MemoryBudget {
  /** A cache with its own share; those of the others become smaller by it. Throws when the name is taken. */
  cache<K, V>(options: CacheOptions<K, V>): Cache<K, V>
  /** A new total, in bytes: each cache keeps its share of it, and sheds at once. */
  resize(totalBytes: number): void
  totalBytes(): number
  figures(): CacheFigures[]
}

/** @param totalBytes what all caches together may hold, by estimate. */
export function createMemoryBudget(totalBytes: number): MemoryBudget {
  let total = totalBytes
  const caches = new Map<string, { share: number; resize(limit: number): void; figures(): CacheFigures }>()
  const shareOut = (): void => {
    const whole = [...caches.values()].reduce((sum, { share }) => sum + share, 0)
    for (const cache of caches.values()) cache.resize(Math.floor((total * cache.share) / Math.max(1, whole)))
  }
  return {
    cache<K, V>({ name, share, weigh }: CacheOptions<K, V>): Cache<K, V> {
      if (caches.has(name)) throw new Error(`There is a cache named ${name} already`)
      if (!(share > 0)) throw new RangeError(`The cache ${name} needs a share above 0, not ${share}`)
      const cache = new Cache<K, V>(name, 0, weigh)
      caches.set(name, {
        share,
        resize: (limit) => cache.resize(limit),
        figures: () => cache.figures(),
      })
      shareOut()
      return cache
    },
    resize(bytes) {
      total = bytes
      shareOut()
    },
    totalBytes: () => total,
    figures: () => [...caches.values()].map((cache) => cache.figures()),
  }
}
