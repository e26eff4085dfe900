import type { Duplex } from 'node:stream'
import type { Timer } from '@causeway/store/clock/clock.ts'
import { Batches } from './batches.ts'
import { Capabilities } from './capabilities.ts'
import { Deliveries } from './deliveries.ts'
import type { Proof, SendOutcome, UnsentReason } from './deliveries.ts'
import { classifySocketError } from './disconnect-reason.ts'
import type { DisconnectReason, IrcEvent } from './events.ts'
import { CHANNEL_HANDLERS } from './handle-channels.ts'
import { REGISTRATION_HANDLERS, startRegistration } from './handle-registration.ts'
import { handleReply, REPLY_HANDLERS } from './handle-replies.ts'
import { TEXT_HANDLERS } from './handle-text.ts'
import { readIncoming } from './incoming.ts'
import type { Handler } from './incoming.ts'
import { DEFAULT_ISUPPORT } from './isupport.ts'
import type { Isupport } from './isupport.ts'
import { LineReader } from './line-reader.ts'
import { Membership, MembershipOverflow } from './membership.ts'
import { formatMessage, parseMessage } from './message.ts'
import type { OutgoingMessage } from './message.ts'
import type { ResolvedOptions } from './options.ts'
import { SendQueue } from './send-queue.ts'

/** Longest tag section a server may send, `@` and space included. https://ircv3.net/specs/extensions/message-tags#size-limit */
const TAG_BYTES = 8191

const HANDLERS: ReadonlyMap<string, Handler> = new Map([
  ...REGISTRATION_HANDLERS,
  ...CHANNEL_HANDLERS,
  ...TEXT_HANDLERS,
  ...REPLY_HANDLERS,
])

/** How a session ended. */
export interface SessionEnd {
  readonly reason: DisconnectReason
  readonly detail: string
  readonly wasRegistered: boolean
}

/** One connection to a server, from dialing to its end; never used twice. What it agrees on holds for it alone. */
export class Session {
  readonly options: ResolvedOptions
  readonly capabilities: Capabilities
  readonly membership: Membership
  readonly batches = new Batches()
  readonly deliveries: Deliveries
  readonly queue: SendQueue
  /** Resolves when the connection is gone, for whatever reason. */
  readonly ended: Promise<SessionEnd>
  /** Marks labels and PINGs as this session's. */
  readonly prefix: string
  state: 'dialing' | 'registering' | 'registered' | 'closed' = 'dialing'
  isupport: Isupport = DEFAULT_ISUPPORT
  nick = ''
  user: string | undefined
  host: string | undefined
  account: string | undefined
  nickAttempt = 0
  isQuitting = false
  /** What the server said before it closed, where that tells more than the closing. */
  farewell: { reason: DisconnectReason; detail: string } | undefined
  readonly #reader = new LineReader(TAG_BYTES + DEFAULT_ISUPPORT.lineLength)
  readonly #abort = new AbortController()
  readonly #timers = new Map<string, Timer>()
  #settleEnd: (end: SessionEnd) => void = () => undefined
  #socket: Duplex | undefined
  #lastReceived = 0
  #pingedAt: number | undefined

  constructor(options: ResolvedOptions) {
    this.options = options
    const { clock, random, timing, flood } = options
    this.prefix = `cw${random.token(6)}-`
    this.capabilities = new Capabilities(options.sasl !== undefined)
    this.membership = new Membership(options.limits, this.isupport)
    this.deliveries = new Deliveries(clock, timing.delivery, this.prefix)
    this.queue = new SendQueue(clock, flood, (line) => this.#socket?.write(`${line}\r\n`) ?? true)
    this.ended = new Promise((resolve) => {
      this.#settleEnd = resolve
    })
  }

  /** Dials and registers; what comes of it is told by `registered` or `ended`. */
  async connect(): Promise<void> {
    const { dial, server, timing } = this.options
    this.setTimer('phase', timing.dial, () => this.close('dial-failed', 'connecting took too long'))
    try {
      const socket = await dial(server, this.#abort.signal)
      if (this.state === 'closed') socket.destroy()
      else this.#attach(socket)
    } catch (cause) {
      this.close(classifySocketError(cause, false), cause instanceof Error ? cause.message : String(cause))
    }
  }

  emit(event: IrcEvent): void {
    try {
      this.options.onEvent(event)
    } catch (cause) {
      this.options.onFault(cause)
    }
  }

  /** Runs `fn` after `ms` unless the timer of that name is set again, cleared, or the session ends. */
  setTimer(name: string, ms: number, fn: () => void): void {
    this.clearTimer(name)
    if (this.state !== 'closed') this.#timers.set(name, this.options.clock.setTimeout(fn, ms))
  }

  clearTimer(name: string): void {
    this.#timers.get(name)?.cancel()
    this.#timers.delete(name)
  }

  /** Ready: everything the server had to tell about itself has arrived. */
  becomeRegistered(): void {
    if (this.state !== 'registering' || this.nick === '') return
    this.state = 'registered'
    this.clearTimer('phase')
    this.queue.refill()
    const { nick, isupport, account } = this
    const capabilities = new Set(this.capabilities.agreed)
    this.emit({ type: 'registered', nick, isupport, account, capabilities })
  }

  learnIsupport(isupport: Isupport): void {
    // Names are already filed under the old mapping once we are in channels.
    const { caseMapping } = this.isupport
    this.isupport = this.state === 'registered' ? { ...isupport, caseMapping } : isupport
    this.membership.isupport = this.isupport
    this.#reader.limit = TAG_BYTES + this.isupport.lineLength
  }

  /** Writes a line of the protocol's own, ahead of what people say, without watching what becomes of it. */
  writeUrgent(command: string, ...params: string[]): void {
    const line = formatMessage({ command, params })
    if (line !== undefined)
      this.queue.push({ line, onWritten: () => undefined, onDropped: () => undefined }, true)
  }

  /** Sends a command about `params[0]` and reports what became of it. Must be a whole line; nothing is cut. */
  perform(message: OutgoingMessage, isUrgent = false): Promise<SendOutcome> {
    const { command, params } = message
    const proof = this.#proofFor(command)
    const { promise, resolve } = Promise.withResolvers<SendOutcome>()
    const unsent = (reason: UnsentReason): void => resolve({ kind: 'unsent', reason })
    const bare = formatMessage({ command, params })
    if (this.state !== 'registered') unsent('not-connected')
    else if (bare === undefined) unsent('invalid')
    else if (Buffer.byteLength(bare) + 2 > this.isupport.lineLength) unsent('too-long')
    else {
      const target = this.membership.fold(params[0] ?? '')
      const delivery = this.deliveries.begin({ command, target, text: params.at(-1) ?? '', proof }, resolve)
      const tags = new Map(message.tags)
      if (proof === 'label') tags.set('label', delivery.label)
      const line = formatMessage({ tags, command, params })
      const drop = (reason: UnsentReason): void =>
        this.deliveries.settle(delivery, { kind: 'unsent', reason })
      if (line === undefined) drop('invalid')
      else {
        const onWritten = (): void => {
          this.deliveries.written(delivery)
          this.#proveByPing()
        }
        if (!this.queue.push({ line, onWritten, onDropped: () => drop('not-connected') }, isUrgent))
          drop('queue-full')
      }
    }
    return promise
  }

  /** Ends the connection now. Lines still queued become `unsent`, written ones without proof `uncertain`. */
  close(reason: DisconnectReason, detail: string): void {
    if (this.state === 'closed') return
    const wasRegistered = this.state === 'registered'
    this.state = 'closed'
    for (const timer of this.#timers.values()) timer.cancel()
    this.#abort.abort()
    this.queue.close()
    this.deliveries.close()
    this.#socket?.destroy()
    this.#settleEnd({ reason, detail, wasRegistered })
  }

  /** Says QUIT behind all queued lines and waits for the server to close, at most `timing.quit`. */
  async quit(message: string): Promise<void> {
    this.isQuitting = true
    const line = formatMessage({ command: 'QUIT', params: [message] }) ?? 'QUIT'
    const nothing = (): void => undefined
    if (this.state === 'dialing' || !this.queue.push({ line, onWritten: nothing, onDropped: nothing })) {
      this.close('quit', message)
    }
    this.setTimer('quit', this.options.timing.quit, () => this.close('quit', 'the server did not close'))
    await this.ended
  }

  #proofFor(command: string): Proof {
    const { agreed } = this.capabilities
    const isText = command === 'PRIVMSG' || command === 'NOTICE' || command === 'TAGMSG'
    if (agreed.has('labeled-response') && agreed.has('batch') && agreed.has('message-tags')) return 'label'
    if (isText && agreed.has('echo-message')) return 'echo'
    return this.options.proveByPing ? 'ping' : 'none'
  }

  #proveByPing(): void {
    const token = this.deliveries.pingDue(this.queue.length === 0)
    if (token !== undefined) this.writeUrgent('PING', token)
  }

  #attach(socket: Duplex): void {
    this.#socket = socket
    this.state = 'registering'
    const ended = (reason: DisconnectReason, detail: string): void => {
      if (this.isQuitting) this.close('quit', detail)
      else this.close(this.farewell?.reason ?? reason, this.farewell?.detail ?? detail)
    }
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('drain', () => this.queue.resume())
    socket.on('error', (cause) => ended(classifySocketError(cause, true), cause.message))
    socket.on('close', () => ended('network', 'the connection was closed'))
    const { timing } = this.options
    this.setTimer('phase', timing.registration, () =>
      this.close('registration-timeout', 'registration took too long'),
    )
    this.#lastReceived = this.options.clock.monotonic()
    this.#watch(timing.idle)
    startRegistration(this)
  }

  #receive(chunk: Buffer): void {
    this.#lastReceived = this.options.clock.monotonic()
    this.#pingedAt = undefined
    this.#reader.push(chunk, (line) => {
      if (this.state === 'closed') return
      try {
        this.#handleLine(line)
      } catch (cause) {
        if (cause instanceof MembershipOverflow) this.close('misbehaving-server', cause.message)
        else this.options.onFault(cause)
      }
    })
  }

  #handleLine(line: string): void {
    const message = parseMessage(line)
    if (message === undefined) return
    const incoming = readIncoming(this, message)
    if (handleReply(this, incoming)) return
    HANDLERS.get(message.command)?.(this, incoming)
  }

  /** Watches for silence: asks after `idle`, gives up `pong` later. */
  #watch(ms: number): void {
    this.setTimer('watch', ms, () => {
      const { clock, timing } = this.options
      const quietMs = clock.monotonic() - this.#lastReceived
      if (quietMs < timing.idle) this.#watch(timing.idle - quietMs)
      else if (this.#pingedAt === undefined) {
        this.#pingedAt = clock.monotonic()
        this.writeUrgent('PING', `${this.prefix}alive`)
        this.#watch(timing.pong)
      } else this.close('silent', `no answer to a PING within ${timing.pong} ms`)
    })
  }
}
