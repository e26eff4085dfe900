import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { VolatileStream } from '../sync/volatile.ts'
import { createChangeTrail, type ChangeTrail } from './change-trail.ts'
import type { HeardPresence, UserPresence } from './presence.ts'

interface Entry {
  told: UserPresence
  /** When the user counts as gone unless their server is heard again; of the monotonic clock. */
  until: number
}

/** Servers repeat that somebody is there every 25 minutes. */
const HEARD_MS = 30 * 60_000
/** Users remembered; those whose last change is oldest are forgotten first. They take no place from ours. */
const MAX_USERS = 20_000
const MAX_CHANGES = 4_096

/** What other servers say of who is there: volatile. */
export class RemotePresence {
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

  /** Whether it is news to those who see the user. */
  hear(userId: UserId, heard: HeardPresence): boolean {
    const { state, statusMsg, lastActiveAgo, currentlyActive } = heard
    const before = this.#entries.get(userId)
    const lastActive = lastActiveAgo === undefined ? undefined : this.#clock.now() - lastActiveAgo
    const until = this.#clock.monotonic() + HEARD_MS
    const isSame =
      before !== undefined &&
      before.told.state === state &&
      before.told.statusMsg === statusMsg &&
      before.told.currentlyActive === currentlyActive
    if (isSame || (before === undefined && state === 'offline' && statusMsg === undefined)) {
      if (before !== undefined) {
        before.told = { ...before.told, lastActive }
        before.until = until
      }
      return false
    }
    this.#tell(userId, { told: { state, statusMsg, lastActive, currentlyActive, changedAt: 0 }, until })
    return true
  }

  /** Ends what was not repeated; returns whose presence changed by it. */
  sweep(): UserId[] {
    const now = this.#clock.monotonic()
    const gone = [...this.#present].filter((userId) => this.#entries.get(userId)!.until <= now)
    for (const userId of gone) {
      const entry = this.#entries.get(userId)!
      this.#tell(userId, { ...entry, told: { ...entry.told, state: 'offline', currentlyActive: false } })
    }
    return gone
  }

  of(userId: UserId): UserPresence | undefined {
    return this.#entries.get(userId)?.told
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

  #tell(userId: UserId, entry: Entry): void {
    const changedAt = this.#volatile.next()
    this.#trail.note(userId, changedAt)
    this.#entries.delete(userId)
    this.#entries.set(userId, { ...entry, told: { ...entry.told, changedAt } })
    if (entry.told.state === 'offline') this.#present.delete(userId)
    else this.#present.add(userId)
    if (this.#entries.size <= MAX_USERS) return
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest!)
    this.#present.delete(oldest!)
  }
}
