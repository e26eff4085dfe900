import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { systemClock } from '@causeway/store/clock/system.ts'
import { SMTPServer } from 'smtp-server'

// Test support: a mail server on loopback that keeps what it is given.

const PATIENCE_MS = 60_000

export interface ReceivedMail {
  readonly to: readonly string[]
  readonly secure: boolean
  readonly user: string | undefined
  readonly headers: string
  readonly text: string
  /** The link in it, path and query. */
  readonly link: string | undefined
}

export interface TestMailServer extends AsyncDisposable {
  readonly port: number
  readonly mails: ReceivedMail[]
  /** Called for every mail that came whole; false: it is neither taken nor answered. */
  onArrival: () => boolean
  /** Called for every mail that was taken, before its sender is told so. */
  onTaken: () => void
  /** How many mails are refused from now on, before one is taken. */
  refuse(count: number): void
  /** Resolves when there are so many mails. */
  arrived(count: number): Promise<ReceivedMail>
}

/** Undoes quoted-printable, where it is that, and lines that were folded. */
function readText(headers: string, body: string): string {
  const text = /^content-transfer-encoding: quoted-printable/im.test(headers)
    ? body
        .replaceAll('=\r\n', '')
        .replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : body
  return text.replaceAll('\r\n', '\n')
}

/**
 * @param tls a certificate: the server wants STARTTLS and the login `causeway`, `secret`
 * @param port where it listens; default: where the system has room
 */
export async function startMailServer(
  tls?: { key: string; cert: string },
  port = 0,
): Promise<TestMailServer> {
  const mails: ReceivedMail[] = []
  const waiting = new Map<number, () => void>()
  let refusals = 0
  const server = new SMTPServer({
    ...tls,
    authOptional: tls === undefined,
    disabledCommands: tls === undefined ? ['AUTH', 'STARTTLS'] : [],
    onAuth: ({ username, password }, _session, done) =>
      username === 'causeway' && password === 'secret'
        ? done(null, { user: username })
        : done(new Error('wrong password')),
    onData: (stream, session, done) => {
      void text(stream).then((raw) => {
        if (!self.onArrival()) return
        if (refusals > 0) {
          refusals--
          done(Object.assign(new Error('try again later'), { responseCode: 451 }))
          return
        }
        // Some programs end lines as files do.
        const [headers = '', ...body] = raw.replaceAll(/\r?\n/g, '\r\n').split('\r\n\r\n')
        const content = readText(headers, body.join('\r\n\r\n'))
        mails.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user === undefined ? undefined : String(session.user),
          headers,
          text: content,
          link: /https:\/\/test\.example(\/\S+)/.exec(content)?.[1],
        })
        self.onTaken()
        done()
        waiting.get(mails.length)?.()
      })
    },
  })
  server.on('error', () => undefined)
  const listening = server.listen(port, '127.0.0.1')
  await once(listening, 'listening')
  const self: TestMailServer = {
    onArrival: () => true,
    onTaken: () => undefined,
    port: (listening.address() as AddressInfo).port,
    mails,
    refuse: (count) => {
      refusals = count
    },
    arrived: async (count) => {
      if (mails.length < count) {
        await new Promise<void>((resolve, reject) => {
          const late = (): void => reject(new Error(`mail ${count} did not come; there are ${mails.length}`))
          const timer = systemClock.setTimeout(late, PATIENCE_MS)
          waiting.set(count, () => {
            timer.cancel()
            resolve()
          })
        })
      }
      return mails[count - 1]!
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
  return self
}
