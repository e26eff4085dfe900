import type { Session } from '../http/endpoint.ts'
import type { LimitedAction } from './actions.ts'
import type { RateLimiter } from './limiter.ts'

/**
 * Counts what somebody with a session does: 0, or the milliseconds to wait. Who acts for an application service counts for
 * it, and for themselves where its registration asks for that.
 */
export function takeForSession(
  limiter: Pick<RateLimiter, 'take'>,
  action: LimitedAction,
  { userId, appserviceId, isRateLimited }: Session,
): number {
  if (appserviceId === undefined) return limiter.take(action, 'user', userId)
  const wait = isRateLimited === true ? limiter.take(action, 'user', userId) : 0
  return wait > 0 ? wait : limiter.take(action, 'appservice', appserviceId)
}
