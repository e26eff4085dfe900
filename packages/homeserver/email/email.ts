import type { Clock } from '@causeway/store/clock/clock.ts'
import { RateLimiter, type RateLimits } from '../http/rate-limit.ts'
import { createMailer, type Mailer, type MailerDeps } from './mailer.ts'

/** Mail, and how much of it anybody gets. One a process. */
export interface Email extends Mailer {
  /** Counts a mail to an address: 0, or the milliseconds until it may get another, whoever asks for it. */
  takeTurn(address: string): number
}

/** Of one address: five at once, then one in five minutes. */
const PER_ADDRESS = { perSecond: 1 / 300, burst: 5 }

export function createEmail(deps: MailerDeps & { readonly clock: Clock }): Email {
  const mailer = createMailer(deps)
  const limiter = new RateLimiter({ email: PER_ADDRESS } as RateLimits, deps.clock)
  return { ...mailer, takeTurn: (address) => limiter.take('email', 'address', address) }
}
