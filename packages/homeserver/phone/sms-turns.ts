import type { Clock } from '@causeway/store/clock/clock.ts'
import type { RateLimit, RateLimiter } from '../limits/limiter.ts'

/** How many messages are sent. In memory: what was used up is forgotten with a restart. */
export interface SmsTurns {
  /** Counts a message that somebody wants to be sent to a number; false when there were too many. */
  take(msisdn: string): boolean
}

export interface SmsTurnsDeps {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly limiter: Pick<RateLimiter, 'takeOf'>
}

const HOUR_MS = 3_600_000
/** Of one number: three at once, then one an hour. Whoever guesses five times each would hit once in twenty years. */
const PER_NUMBER: RateLimit = { perSecond: 1_000 / HOUR_MS, burst: 3 }

/**
 * Messages cost money, and there are people who earn from those that are sent to numbers of theirs: so there is a bound
 * on all of them together.
 * @param onExhausted called when no more may be sent, once until some may again
 */
export function createSmsTurns(
  perHour: number,
  { clock, limiter }: SmsTurnsDeps,
  onExhausted: () => void,
): SmsTurns {
  /** When those of the last hour were sent, the oldest first. */
  const sent: number[] = []
  let isTold = false
  const takeOfAll = (): boolean => {
    const now = clock.monotonic()
    while (sent.length > 0 && sent[0]! <= now - HOUR_MS) sent.shift()
    const isLeft = sent.length < perHour
    if (isLeft) sent.push(now)
    else if (!isTold) onExhausted()
    isTold = !isLeft
    return isLeft
  }
  return {
    take: (msisdn) => limiter.takeOf(PER_NUMBER, 'sms', 'recipient', msisdn) === 0 && takeOfAll(),
  }
}
