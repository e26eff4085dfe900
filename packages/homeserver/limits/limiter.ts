import type { Clock } from '@causeway/store/clock/clock.ts'
import { ALL, type LimitedAction, type PrincipalKind } from './actions.ts'

/** `perSecond` actions in the long run, `burst` at once. `perSecond` 0 lifts the limit. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** What holds for everybody, and `application_service` for all that one of these does together. */
export type RateLimits = Readonly<Record<LimitedAction | 'application_service', RateLimit>>

type Counted = LimitedAction | typeof ALL

/** What holds for one principal in its place. `all` counts everything it does; at 0 nothing of it is limited. */
export type OwnLimits = Readonly<Partial<Record<Counted, RateLimit>>>

/** Somebody who has to wait before the next of these. */
export interface HeldBack {
  readonly kind: PrincipalKind
  readonly principal: string
  readonly action: Counted
  readonly waitMs: number
}

/** Buckets of one action and kind that are remembered; an entry is a string and a number, about 120 bytes. */
const MAX_BUCKETS = 20_000

const NONE: RateLimit = { perSecond: 0, burst: 1 }

/** When the bucket of each principal will be full again: by everybody's limit, and by one of its own. */
interface Buckets {
  readonly common: Map<string, number>
  /** Apart: a flood of others must not push out the bucket of whoever was given a limit. */
  readonly own: Map<string, number>
}

/** What is known of principals of one kind. */
interface Principals {
  readonly limits: Map<string, OwnLimits>
  readonly buckets: Map<Counted, Buckets>
}

/**
 * Token buckets per action and principal. A bucket is one number, the moment at which it will be full again, so
 * a full bucket needs no entry at all; each map is bounded, and its oldest entries make room. Rates may change while it
 * runs.
 */
export class RateLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #kinds = new Map<PrincipalKind, Principals>()
  #limits: RateLimits

  constructor(limits: RateLimits, clock: Pick<Clock, 'monotonic'>) {
    this.#limits = limits
    this.#clock = clock
  }

  get limits(): RateLimits {
    return this.#limits
  }

  /** New rates for everybody from now on. What was used up of what changes is forgotten, so that more helps at once. */
  adjust(limits: Partial<RateLimits>): void {
    this.#limits = { ...this.#limits, ...limits }
    for (const name of Object.keys(limits) as (keyof RateLimits)[]) {
      const action = name === 'application_service' ? ALL : name
      for (const { buckets } of this.#kinds.values()) buckets.get(action)?.common.clear()
    }
  }

  /**
   * The limits of one principal in place of everybody's, from now on; none: everybody's again. What was used up of what
   * changes is forgotten.
   */
  adjustOne(kind: PrincipalKind, principal: string, own: OwnLimits): void {
    const { limits, buckets } = this.#principals(kind)
    const before = limits.get(principal)
    if (Object.keys(own).length === 0) limits.delete(principal)
    else limits.set(principal, own)
    for (const [action, of] of buckets) {
      if (before?.[action] === own[action]) continue
      of.common.delete(principal)
      of.own.delete(principal)
    }
  }

  /** What was decided of one principal. */
  ownLimits(kind: PrincipalKind, principal: string): OwnLimits {
    return this.#kinds.get(kind)?.limits.get(principal) ?? {}
  }

  /**
   * Takes one token of the action, and one of all that the principal does. Answers 0, or the milliseconds until there
   * will be one. An application service has, of itself, but the limit of all it does.
   */
  take(action: LimitedAction, kind: PrincipalKind, principal: string): number {
    const own = this.#kinds.get(kind)?.limits.get(principal)
    if (own?.all?.perSecond === 0) return 0
    const wait = this.#take(action, kind, principal, own?.[action])
    return wait > 0 ? wait : this.#take(ALL, kind, principal, own?.all)
  }

  /** In how many milliseconds so many could be taken at once, of as many as ever can; 0: now. Takes none. */
  waitFor(action: LimitedAction, kind: PrincipalKind, principal: string, count: number): number {
    const own = this.ownLimits(kind, principal)
    const limit = own[action] ?? this.#commonLimit(action, kind)
    if (limit.perSecond <= 0 || own.all?.perSecond === 0) return 0
    const { common, own: apart } = this.#buckets(kind, action)
    const now = this.#clock.monotonic()
    const fullAt = (own[action] === undefined ? common : apart).get(principal) ?? 0
    const more = (Math.min(count, limit.burst) - 1) * (1000 / limit.perSecond)
    return Math.max(0, Math.ceil(waitOf(limit, Math.max(fullAt, now) + more, now)))
  }

  /** As `take`, by a limit that is no matter of configuration. */
  takeOf(limit: RateLimit, action: LimitedAction, kind: PrincipalKind, principal: string): number {
    return this.#spend(limit, this.#buckets(kind, action).common, principal)
  }

  /** Who has to wait now, those with the longest wait first; at most `limit` of them. */
  heldBack(limit: number): HeldBack[] {
    const now = this.#clock.monotonic()
    const found: HeldBack[] = []
    for (const [kind, { limits, buckets }] of this.#kinds) {
      for (const [action, { common, own }] of buckets) {
        const add = (principal: string, fullAt: number, rate: RateLimit | undefined): void => {
          const waitMs = rate === undefined || rate.perSecond <= 0 ? 0 : waitOf(rate, fullAt, now)
          if (waitMs > 0) found.push({ kind, principal, action, waitMs })
        }
        for (const [principal, fullAt] of common) add(principal, fullAt, this.#commonLimit(action, kind))
        for (const [principal, fullAt] of own) add(principal, fullAt, limits.get(principal)?.[action])
      }
    }
    return found.toSorted((a, b) => b.waitMs - a.waitMs).slice(0, limit)
  }

  #commonLimit(action: Counted, kind: PrincipalKind): RateLimit {
    if (kind === 'appservice') return action === ALL ? this.#limits.application_service : NONE
    return action === ALL || kind === 'recipient' ? NONE : this.#limits[action]
  }

  #take(action: Counted, kind: PrincipalKind, principal: string, own: RateLimit | undefined): number {
    const limit = own ?? this.#commonLimit(action, kind)
    if (limit.perSecond <= 0) return 0
    const buckets = this.#buckets(kind, action)
    return this.#spend(limit, own === undefined ? buckets.common : buckets.own, principal)
  }

  #spend(limit: RateLimit, fullAt: Map<string, number>, principal: string): number {
    const now = this.#clock.monotonic()
    const full = Math.max(fullAt.get(principal) ?? 0, now)
    const wait = waitOf(limit, full, now)
    if (wait > 1e-6) return wait
    if (fullAt.size >= MAX_BUCKETS && !fullAt.has(principal)) makeRoom(fullAt, now)
    fullAt.set(principal, full + 1000 / limit.perSecond)
    return 0
  }

  #principals(kind: PrincipalKind): Principals {
    let principals = this.#kinds.get(kind)
    if (principals === undefined) {
      principals = { limits: new Map(), buckets: new Map() }
      this.#kinds.set(kind, principals)
    }
    return principals
  }

  #buckets(kind: PrincipalKind, action: Counted): Buckets {
    const { buckets } = this.#principals(kind)
    let of = buckets.get(action)
    if (of === undefined) {
      of = { common: new Map(), own: new Map() }
      buckets.set(action, of)
    }
    return of
  }
}

/** Milliseconds until a bucket that is full at `fullAt` has a token. */
function waitOf({ perSecond, burst }: RateLimit, fullAt: number, now: number): number {
  const interval = 1000 / perSecond
  return Math.max(fullAt, now) + interval - burst * interval - now
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
