import { createRequire } from 'node:module'

/** The part of irc-framework (which has no types) that we use. */
interface FrameworkClient {
  readonly user: { readonly nick: string }
  readonly network: { readonly cap: { readonly enabled: readonly string[] } }
  connect(options: Record<string, unknown>): void
  on(event: string, listener: (data: Record<string, unknown>) => void): void
  requestCap(names: readonly string[]): void
  say(target: string, text: string, tags?: Record<string, string>): void
  notice(target: string, text: string, tags?: Record<string, string>): void
  action(target: string, text: string): void
  tagmsg(target: string, tags: Record<string, string>): void
  join(channel: string, key?: string): void
  raw(...words: string[]): void
  quit(message?: string): void
}

const framework = createRequire(import.meta.url)('irc-framework') as unknown as {
  readonly Client: new (options?: unknown) => FrameworkClient
}

/** Something the client saw: irc-framework's event name and data. */
export interface Seen {
  readonly type: string
  readonly data: Record<string, unknown>
}

export interface IrcClientOptions {
  readonly host: string
  readonly port: number
  readonly nick: string
  /** Path of a TLS connection; the certificate is not verified. */
  readonly tls?: boolean
  readonly password?: string
}

/** A person on IRC for tests, driven by irc-framework: the second opinion beside our own client. */
export interface TestIrcClient extends AsyncDisposable {
  readonly nick: string
  readonly seen: readonly Seen[]
  /** Raw lines from the server. */
  readonly lines: readonly string[]
  /** The texts (not own echoes) seen in or from `target`, in order: `nick: text`. */
  texts(target: string): string[]
  /** Joins and waits for it. */
  join(channel: string): Promise<void>
  say(target: string, text: string, tags?: Record<string, string>): void
  notice(target: string, text: string): void
  action(target: string, text: string): void
  tagmsg(target: string, tags: Record<string, string>): void
  raw(line: string): void
  /** The first thing seen, now or within `ms`, that fits; rejects with what was seen instead. */
  waitFor(type: string, fits?: (data: Record<string, unknown>) => boolean, ms?: number): Promise<Seen['data']>
  quit(): Promise<void>
}

const EVENTS = [
  ...[
    'registered',
    'join',
    'part',
    'quit',
    'kick',
    'nick',
    'nick in use',
    'mode',
    'topic',
    'message',
    'tagmsg',
  ],
  ...['userlist', 'irc error', 'invite', 'socket close', 'ctcp request', 'whois'],
]

/** A machine ten times slower than an idle one; what comes, comes much sooner. */
const PATIENCE_MS = 90_000

/** Connects and registers a client. */
export async function ircClient(options: IrcClientOptions): Promise<TestIrcClient> {
  const client = new framework.Client()
  const seen: Seen[] = []
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const note = (type: string, data: Record<string, unknown>): void => {
    seen.push({ type, data })
    for (const check of waiting) check()
  }
  for (const type of EVENTS) client.on(type, (data) => note(type, data ?? {}))
  client.on('raw', (data) => {
    if (data['from_server'] === true) lines.push(String(data['line']))
  })
  const waitFor: TestIrcClient['waitFor'] = (type, fits = () => true, ms = PATIENCE_MS) =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = seen.find((one) => one.type === type && fits(one.data))
        if (found === undefined) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve(found.data)
      }
      const timer = setTimeout(() => {
        waiting.delete(check)
        reject(
          new Error(`${options.nick} saw no such "${type}"; last lines:\n${lines.slice(-10).join('\n')}`),
        )
      }, ms)
      waiting.add(check)
      check()
    })
  client.requestCap(['message-tags', 'echo-message', 'labeled-response', 'account-tag'])
  client.connect({
    ...{ host: options.host, port: options.port, nick: options.nick, tls: options.tls === true },
    ...{ username: options.nick, gecos: 'a test person', password: options.password },
    ...{ auto_reconnect: false, rejectUnauthorized: false, enable_echomessage: true, ping_interval: 600 },
    ...{ ping_timeout: 1200, message_max_length: 10_000 },
  })
  await waitFor('registered')
  const quit = async (): Promise<void> => {
    if (seen.some(({ type }) => type === 'socket close')) return
    client.quit()
    await waitFor('socket close')
  }
  return {
    get nick() {
      return client.user.nick
    },
    seen,
    lines,
    texts: (target) =>
      seen.flatMap(({ type, data }) =>
        type === 'message' && data['target'] === target && data['nick'] !== client.user.nick
          ? [`${String(data['nick'])}: ${String(data['message'])}`]
          : [],
      ),
    join: async (channel) => {
      client.join(channel)
      await waitFor('userlist', (data) => data['channel'] === channel)
    },
    say: (target, text, tags) => client.say(target, text, tags),
    notice: (target, text) => client.notice(target, text),
    action: (target, text) => client.action(target, text),
    tagmsg: (target, tags) => client.tagmsg(target, tags),
    raw: (line) => client.raw(line),
    waitFor,
    quit,
    [Symbol.asyncDispose]: quit,
  }
}
