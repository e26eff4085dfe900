import type { RateLimiter } from '../limits/limiter.ts'
import { createMailer, type Mailer, type MailerDeps } from './mailer.ts'

/** Mail, and how much of it anybody gets. One a process. */
export interface Email extends Mailer {
  /** Counts a mail to an address: 0, or the milliseconds until it may get another, whoever asks for it. */
  takeTurn(address: string): number
}

/** Of one address: five at once, then one in five minutes. */
const PER_ADDRESS = { perSecond: 1 / 300, burst: 5 }

export function createEmail(deps: MailerDeps & { readonly limiter: Pick<RateLimiter, 'takeOf'> }): Email {
  const mailer = createMailer(deps)
  return { ...mailer, takeTurn: (address) => deps.limiter.takeOf(PER_ADDRESS, 'email', 'recipient', address) }
}
