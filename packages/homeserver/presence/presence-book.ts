import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { VolatileStream } from '../sync/volatile.ts'
import { createChangeTrail, type ChangeTrail } from './change-trail.ts'
import type { PresenceState, UserPresence } from './presence.ts'

/** What one device makes of its user. */
interface Claim {
  readonly state: PresenceState
  /** When it ends, unless the device polls again; of the monotonic clock. */
  readonly until: number
}

interface Entry {
  readonly claims: Map<string, Claim>
  lastActive: number
  lastActiveTs: number | undefined
  told: UserPresence
}

/** The book of who is there. Methods that change something say whether others have to be told. */
export interface PresenceBook {
  claim(userId: UserId, device: string, state: PresenceState): boolean
  act(userId: UserId): boolean
  set(userId: UserId, state: PresenceState, statusMsg: string | undefined): boolean
  /** Ends what has run out; returns whose presence changed by it. */
  sweep(): UserId[]
  of(userId: UserId): UserPresence | undefined
  changedSince(volatile: number): UserId[]
  present(): UserId[]
  /** Nobody is there. */
  isEmpty(): boolean
}

/** Longer than the longest poll: a device that has not come back by then is gone. */
const CLAIM_MS = 120_000
/** Without doing anything for so long, a user is idle. */
const IDLE_MS = 300_000
const MAX_DEVICES = 20
/** No device: what a user said by hand. */
const BY_HAND = ''
/** Users remembered; those whose last change is oldest are forgotten first. */
const MAX_USERS = 50_000
/** Changes of which the order is kept, for readers who come back soon. */
const MAX_CHANGES = 4_096
const RANK: Record<PresenceState, number> = { offline: 0, unavailable: 1, online: 2 }

/** What a user's devices say, put together. */
function stateOf(entry: Entry, now: number): PresenceState {
  let best: PresenceState = 'offline'
  for (const { state, until } of entry.claims.values()) {
    if (until > now && RANK[state] > RANK[best]) best = state
  }
  return best === 'online' && now - entry.lastActive >= IDLE_MS ? 'unavailable' : best
}

class Book implements PresenceBook {
  readonly #clock: Clock
  readonly #volatile: VolatileStream
  /** Ordered by the last change that others are told, oldest first. */
  readonly #entries = new Map<UserId, Entry>()
  readonly #present = new Set<UserId>()
  readonly #trail: ChangeTrail = createChangeTrail(MAX_CHANGES)

  constructor(clock: Clock, volatile: VolatileStream) {
    this.#clock = clock
    this.#volatile = volatile
  }

  claim(userId: UserId, device: string, state: PresenceState): boolean {
    const now = this.#clock.monotonic()
    const entry = this.#entryOf(userId)
    const before = entry.claims.get(device)
    // What the user said by hand holds until a device says something.
    entry.claims.delete(BY_HAND)
    if (state === 'offline') entry.claims.delete(device)
    else if (before !== undefined || entry.claims.size < MAX_DEVICES)
      entry.claims.set(device, { state, until: now + CLAIM_MS })
    // Coming back is an action; saying the same again is not, or nobody who leaves a client open were ever idle.
    const cameOnline = state === 'online' && (before?.state !== 'online' || before.until <= now)
    if (cameOnline) this.#touch(entry, now)
    return this.#tell(userId, entry, now, entry.told.statusMsg)
  }

  act(userId: UserId): boolean {
    const entry = this.#entries.get(userId)
    if (entry === undefined) return false
    const now = this.#clock.monotonic()
    this.#touch(entry, now)
    return this.#tell(userId, entry, now, entry.told.statusMsg)
  }

  set(userId: UserId, state: PresenceState, statusMsg: string | undefined): boolean {
    const now = this.#clock.monotonic()
    const entry = this.#entryOf(userId)
    entry.claims.clear()
    if (state !== 'offline') entry.claims.set(BY_HAND, { state, until: now + CLAIM_MS })
    this.#touch(entry, now)
    return this.#tell(userId, entry, now, statusMsg)
  }

  sweep(): UserId[] {
    const now = this.#clock.monotonic()
    const changed: UserId[] = []
    for (const userId of this.#present) {
      const entry = this.#entries.get(userId)!
      for (const [device, { until }] of entry.claims) if (until <= now) entry.claims.delete(device)
      if (this.#tell(userId, entry, now, entry.told.statusMsg)) changed.push(userId)
    }
    return changed
  }

  of(userId: UserId): UserPresence | undefined {
    const entry = this.#entries.get(userId)
    return entry && { ...entry.told, lastActive: entry.lastActiveTs }
  }

  changedSince(volatile: number): UserId[] {
    return this.#trail.since(volatile) ?? [...this.#entries.keys()]
  }

  present(): UserId[] {
    return [...this.#present]
  }

  isEmpty(): boolean {
    return this.#present.size === 0
  }

  #entryOf(userId: UserId): Entry {
    const held = this.#entries.get(userId)
    if (held !== undefined) return held
    const told = { state: 'offline', statusMsg: undefined, lastActive: undefined, changedAt: 0 } as const
    const entry: Entry = { claims: new Map(), lastActive: -Infinity, lastActiveTs: undefined, told }
    this.#entries.set(userId, entry)
    if (this.#entries.size > MAX_USERS) this.#forgetOldest()
    return entry
  }

  #forgetOldest(): void {
    const [userId] = this.#entries.entries().next().value!
    this.#entries.delete(userId)
    this.#present.delete(userId)
  }

  #touch(entry: Entry, now: number): void {
    entry.lastActive = now
    entry.lastActiveTs = this.#clock.now()
  }

  #tell(userId: UserId, entry: Entry, now: number, statusMsg: string | undefined): boolean {
    const state = stateOf(entry, now)
    if (state === entry.told.state && statusMsg === entry.told.statusMsg) return false
    entry.told = { state, statusMsg, lastActive: undefined, changedAt: this.#volatile.next() }
    this.#trail.note(userId, entry.told.changedAt)
    this.#entries.delete(userId)
    this.#entries.set(userId, entry)
    if (state === 'offline') this.#present.delete(userId)
    else this.#present.add(userId)
    return true
  }
}

/** An empty book. @param volatile gives each change that others are told its position */
export function createPresenceBook(clock: Clock, volatile: VolatileStream): PresenceBook {
  return new Book(clock, volatile)
}
