import { Cache } from './lru.ts'
import type { CacheFigures } from './lru.ts'

export interface CacheOptions<K, V> {
  /** As the metrics show it. */
  readonly name: string
  /** Part of the budget, 0 to 1. */
  readonly share: number
  /** Estimated bytes of key and value in memory; the cache adds what its own slot costs. */
  readonly weigh: (value: V, key: K) => number
}

/** One number of bytes which all caches of the process share out among themselves (law 7). */
export interface MemoryBudget {
  /** A cache with its own share. Throws when the name is taken or the shares would exceed the whole. */
  cache<K, V>(options: CacheOptions<K, V>): Cache<K, V>
  /** A new total, in bytes: each cache keeps its share of it, and sheds at once. */
  resize(totalBytes: number): void
  totalBytes(): number
  figures(): CacheFigures[]
}

/** What shares may exceed the whole by, from adding fractions. */
const ROUNDING = 1e-9

/** @param totalBytes what all caches together may hold, by estimate. */
export function createMemoryBudget(totalBytes: number): MemoryBudget {
  let total = totalBytes
  const caches = new Map<string, { share: number; resize(limit: number): void; figures(): CacheFigures }>()
  const taken = (): number => [...caches.values()].reduce((sum, cache) => sum + cache.share, 0)
  return {
    cache<K, V>({ name, share, weigh }: CacheOptions<K, V>): Cache<K, V> {
      if (caches.has(name)) throw new Error(`There is a cache named ${name} already`)
      if (!(share > 0) || taken() + share > 1 + ROUNDING) {
        throw new RangeError(`The share ${share} of cache ${name} does not fit into the memory budget`)
      }
      const cache = new Cache<K, V>(name, Math.floor(total * share), weigh)
      caches.set(name, {
        share,
        resize: (limit) => cache.resize(limit),
        figures: () => cache.figures(),
      })
      return cache
    },
    resize(bytes) {
      total = bytes
      for (const cache of caches.values()) cache.resize(Math.floor(total * cache.share))
    },
    totalBytes: () => total,
    figures: () => [...caches.values()].map((cache) => cache.figures()),
  }
}
