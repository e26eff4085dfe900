import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'

/** Sticky events of another server that are taken in at once, and a second in the long run: 73,000 in the hour that one lasts. */
export const STICKY_BURST = 1_000
const PER_SECOND = 20
const INTERVAL_MS = 1_000 / PER_SECOND
/** Servers that are remembered; one is forgotten as soon as it might send all at once again. */
const MAX_SERVERS = 20_000

/**
 * How many sticky events other servers may have here: each of them is told to everybody in its room, whatever else was said.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4354
 */
export interface StickyLimit {
  /** In how many milliseconds a server may send so many; 0: now. */
  waitFor(server: ServerName, count: number): number
  /** Counts one of a server's; false: there are too many, and it is not sticky here. */
  admit(server: ServerName): boolean
}

export function createStickyLimit(clock: Pick<Clock, 'monotonic'>): StickyLimit {
  /** When a server might send all at once again. Those that always might are not here. */
  const fullAt = new Map<ServerName, number>()
  const makeRoom = (now: number): void => {
    let surplus = MAX_SERVERS / 10
    for (const [server, full] of fullAt) {
      if (full > now && surplus <= 0) continue
      fullAt.delete(server)
      surplus--
    }
  }
  const waitFor = (server: ServerName, count: number): number => {
    const now = clock.monotonic()
    const full = Math.max(fullAt.get(server) ?? 0, now)
    // More than come at once ever may has to wait for as long as those.
    const wanted = Math.min(count, STICKY_BURST)
    return Math.max(0, Math.ceil(full - now - (STICKY_BURST - wanted) * INTERVAL_MS))
  }
  return {
    waitFor,
    admit(server) {
      if (waitFor(server, 1) > 0) return false
      const now = clock.monotonic()
      if (fullAt.size >= MAX_SERVERS && !fullAt.has(server)) makeRoom(now)
      fullAt.set(server, Math.max(fullAt.get(server) ?? 0, now) + INTERVAL_MS)
      return true
    },
  }
}
