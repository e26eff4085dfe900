import { getCACertificates } from 'node:tls'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { EmailConfig } from '../email-options.ts'
import { createSlots } from '@causeway/store/cache/slots.ts'
import type { Logger } from '../ops/log.ts'

/** A mail of plain text. */
export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Sends mail through the mail server of the configuration. */
export interface Mailer extends AsyncDisposable {
  /** False where no mail server is configured. */
  readonly isThere: boolean
  /**
   * Sends it in the background, tried three times: nobody sees from the time that it takes whether there was one.
   * A failure is logged.
   * @returns false when too many wait already
   */
  send(mail: Mail): boolean
}

export interface MailerDeps {
  readonly config: EmailConfig
  readonly clock: Pick<Clock, 'sleep'>
  readonly logger: Logger
  /** Certificate authorities (PEM) that are trusted beside the well-known ones. */
  readonly authorities: readonly string[]
}

const AT_ONCE = 4
const MAX_WAITING = 200
/** Before the second and the third try. */
const DELAYS_MS = [2_000, 15_000]
/** How long an end waits for what is being sent. */
const END_MS = 5_000
const TIMEOUTS = {
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
  dnsTimeout: 10_000,
}

type Send = (mail: Mail) => Promise<unknown>

/** Loads what sends mail, which many a server never needs. */
async function createSend(
  { host, port, tls, user, password, from }: EmailConfig,
  authorities: readonly string[],
): Promise<Send> {
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    host: host!,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'off',
    ...(user === undefined ? {} : { auth: { user, pass: password! } }),
    ...(authorities.length === 0 ? {} : { tls: { ca: [...getCACertificates('default'), ...authorities] } }),
    disableFileAccess: true,
    disableUrlAccess: true,
    ...TIMEOUTS,
  })
  // No program answers what a program sent. https://www.rfc-editor.org/rfc/rfc3834
  const headers = { 'Auto-Submitted': 'auto-generated' }
  return ({ to, subject, text }) =>
    transport.sendMail({ from: from!, to: { name: '', address: to }, subject, text, headers })
}

export function createMailer({ config, clock, logger, authorities }: MailerDeps): Mailer {
  let creating: Promise<Send> | undefined
  const slots = createSlots(AT_ONCE, MAX_WAITING)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const attempt = async (mail: Mail): Promise<void> => {
    for (const delay of [...DELAYS_MS, undefined]) {
      try {
        creating ??= createSend(config, authorities)
        await (
          await creating
        )(mail)
        return
      } catch (error) {
        logger.warn('a mail could not be sent', { server: config.host, again: delay !== undefined, error })
        if (delay === undefined || ended.signal.aborted) return
        await clock.sleep(delay, ended.signal)
      }
    }
  }
  return {
    isThere: config.host !== undefined,
    send: (mail) => {
      if (underWay.size >= AT_ONCE + MAX_WAITING) return false
      const work: Promise<void> = slots
        .run(() => (ended.signal.aborted ? Promise.resolve() : attempt(mail)))
        .catch(() => undefined)
        .finally(() => underWay.delete(work))
      underWay.add(work)
      return true
    },
    async [Symbol.asyncDispose]() {
      ended.abort()
      const enough = new AbortController()
      const late = clock.sleep(END_MS, enough.signal).catch(() => undefined)
      await Promise.race([Promise.all(underWay), late])
      enough.abort()
    },
  }
}
