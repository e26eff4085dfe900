import type { Clock } from '@causeway/store/clock/clock.ts'
import type { RateLimitName } from './endpoint.ts'

/** `perSecond` actions in the long run, `burst` at once. `perSecond` 0 lifts the limit. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

export type RateLimits = Readonly<Record<RateLimitName, RateLimit>>

/** People, addresses and servers are kept apart, so that strangers cannot push people's buckets out of the map. */
export type PrincipalKind = 'user' | 'address' | 'server'

/** Buckets of one name and kind that are remembered; an entry is a string and a number, about 120 bytes. */
const MAX_BUCKETS = 20_000

/**
 * Token buckets per (name, principal). A bucket is one number, the moment at which it will be full again, so
 * a full bucket needs no entry at all; the map is bounded, and the oldest entries make room.
 */
export class RateLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #buckets = new Map<string, Map<string, number>>()
  #limits: RateLimits

  constructor(limits: RateLimits, clock: Pick<Clock, 'monotonic'>) {
    this.#limits = limits
    this.#clock = clock
  }

  get limits(): RateLimits {
    return this.#limits
  }

  /** New rates from now on; what was used up stays used up. */
  adjust(limits: Partial<RateLimits>): void {
    this.#limits = { ...this.#limits, ...limits }
  }

  /**
   * Takes one token. Answers 0, or the milliseconds until there will be one.
   * @param own what holds for this principal in place of the configured limit
   */
  take(name: RateLimitName, kind: PrincipalKind, principal: string, own?: RateLimit): number {
    const { perSecond, burst } = own ?? this.#limits[name]
    if (perSecond <= 0) return 0
    // A bucket of its own: what was used up at one rate says little at another.
    const bucket = this.#bucket(own === undefined ? name : `${name} own`, kind)
    const now = this.#clock.monotonic()
    const interval = 1000 / perSecond
    const fullAt = Math.max(bucket.get(principal) ?? 0, now)
    const wait = fullAt + interval - burst * interval - now
    if (wait > 1e-6) return wait
    if (bucket.size >= MAX_BUCKETS && !bucket.has(principal)) makeRoom(bucket, now)
    bucket.set(principal, fullAt + interval)
    return 0
  }

  #bucket(name: string, kind: PrincipalKind): Map<string, number> {
    const key = kind + name
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new Map()
      this.#buckets.set(key, bucket)
    }
    return bucket
  }
}

/** Drops the buckets that are full again, and in any case the oldest tenth. */
function makeRoom(bucket: Map<string, number>, now: number): void {
  let surplus = MAX_BUCKETS / 10
  for (const [principal, fullAt] of bucket) {
    if (fullAt > now && surplus <= 0) continue
    bucket.delete(principal)
    surplus -= 1
  }
}
