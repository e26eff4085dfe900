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
  /** The same with markup, for programs that show it. */
  readonly html?: string
  /** Where a click ends mails like this one. https://www.rfc-editor.org/rfc/rfc8058 */
  readonly unsubscribe?: string
  /** By which a mail that is sent twice is known again. */
  readonly messageId?: string
}

/** The mail server took everything else, and not this mail. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused'
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
  /** Sends it once. Rejects with `MailRefused` when it was refused, and otherwise when the mail server is not reached. */
  deliver(mail: Mail): Promise<void>
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
  return ({ to, unsubscribe, ...mail }) =>
    transport.sendMail({
      ...mail,
      from: from!,
      to: { name: '', address: to },
      headers: {
        ...headers,
        ...(unsubscribe === undefined
          ? {}
          : {
              'List-Unsubscribe': `<${unsubscribe}>`,
              'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
            }),
      },
    })
}

/** What was said against one mail or its receiver, and not against all. */
function isRefusal(error: unknown): boolean {
  const { code, responseCode } = error as { code?: string; responseCode?: number }
  return responseCode !== undefined && (code === 'EENVELOPE' || code === 'EMESSAGE')
}

export function createMailer({ config, clock, logger, authorities }: MailerDeps): Mailer {
  let creating: Promise<Send> | undefined
  const slots = createSlots(AT_ONCE, MAX_WAITING)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const cutShort = Promise.withResolvers<never>()
  cutShort.promise.catch(() => undefined)
  const trySend = async (mail: Mail): Promise<void> => {
    creating ??= createSend(config, authorities)
    await (
      await creating
    )(mail)
  }
  const attempt = async (mail: Mail): Promise<void> => {
    for (const delay of [...DELAYS_MS, undefined]) {
      try {
        return await trySend(mail)
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
    async deliver(mail) {
      if (ended.signal.aborted) throw new Error('the server stops')
      const work = trySend(mail)
      const settled = work.catch(() => undefined).finally(() => underWay.delete(settled))
      underWay.add(settled)
      try {
        await Promise.race([work, cutShort.promise])
      } catch (error) {
        if (!isRefusal(error)) throw error
        throw new MailRefused(error instanceof Error ? error.message : String(error), { cause: error })
      }
    },
    async [Symbol.asyncDispose]() {
      ended.abort()
      const enough = new AbortController()
      const late = clock.sleep(END_MS, enough.signal).catch(() => undefined)
      await Promise.race([Promise.all(underWay), late])
      cutShort.reject(new Error('the server stops'))
      enough.abort()
    },
  }
}
