import type { StickyLimit } from '../rooms/sticky-limit.ts'
import type { RateLimiter } from './limiter.ts'

/** The limit of sticky events as rooms ask for it. */
export function createStickyLimit(limiter: RateLimiter): StickyLimit {
  return {
    waitFor: (server, count) => limiter.waitFor('sticky', 'server', server, count),
    admit: (server) => limiter.take('sticky', 'server', server) === 0,
  }
}
