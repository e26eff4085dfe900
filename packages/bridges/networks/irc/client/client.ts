import type { Timer } from '@causeway/store/clock/clock.ts'
import type { SendOutcome } from './deliveries.ts'
import { RETRY } from './disconnect-reason.ts'
import type { DisconnectReason, IrcEvent, Member } from './events.ts'
import { allowsClientTag } from './isupport.ts'
import type { Isupport } from './isupport.ts'
import type { Tags } from './message.ts'
import { resolveOptions } from './options.ts'
import type { IrcOptions, ResolvedOptions } from './options.ts'
import { Session } from './session.ts'
import type { SessionEnd } from './session.ts'
import { ACTION_END, ACTION_START, textBudget } from './text-budget.ts'
import type { TextKind } from './text-budget.ts'

/** One line to say. */
export interface OutgoingText {
  readonly kind: TextKind
  readonly target: string
  readonly text: string
  /** Client-only tags (`+draft/reply` → msgid); left out where the server did not agree to them. */
  readonly tags?: Tags
}

/** What a join came to. */
export type JoinOutcome =
  | { readonly kind: 'joined' }
  | Exclude<SendOutcome, { kind: 'echoed' | 'accepted' | 'written' }>

const TAG_BYTES = 4094
/** So often may the server refuse our credentials in a row: on the first time its services may only have restarted. */
const SASL_TRIES = 3

/**
 * A lasting connection to one IRC server under one nick: connects again after a loss and rejoins its channels.
 * Everything that happens is told through `onEvent`. It keeps no messages across connections: what could not be sent
 * is reported to the caller, who has the durable queue.
 */
export class IrcClient implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #report: (event: IrcEvent) => void
  /** Folded by the last known case mapping → name and key. */
  readonly #wanted = new Map<string, { name: string; key: string | undefined }>()
  #session: Session | undefined
  #retryTimer: Timer | undefined
  #running: Promise<void> | undefined
  #isStopped = true
  #failures = 0
  #saslFailures = 0
  #registeredAt = 0
  #nickLength: number | undefined

  constructor(options: IrcOptions) {
    const resolved = resolveOptions(options)
    this.#options = {
      ...resolved,
      nickCandidates: (attempt, known) => resolved.nickCandidates(attempt, known ?? this.#nickLength),
      onEvent: (event) => this.#onEvent(event),
    }
    this.#report = resolved.onEvent
  }

  get state(): 'stopped' | 'waiting' | 'connecting' | 'registered' {
    if (this.#session?.state === 'registered') return 'registered'
    if (this.#isStopped) return 'stopped'
    return this.#session === undefined ? 'waiting' : 'connecting'
  }

  /** The own nick; empty while not registered. */
  get nick(): string {
    return this.#session?.nick ?? ''
  }

  /** What the server supports; `undefined` while not registered. */
  get isupport(): Isupport | undefined {
    return this.#registered()?.isupport
  }

  /** What this connection agreed on; empty while not registered. */
  get capabilities(): ReadonlySet<string> {
    return new Set(this.#registered()?.capabilities.agreed)
  }

  /** The channels it is in now. */
  get channels(): readonly string[] {
    return this.#session?.membership.channels ?? []
  }

  /** A channel's members as known now; empty where not joined or not observing. */
  members(channel: string): Member[] {
    return this.#session?.membership.members(channel) ?? []
  }

  /** One member, by nick in any case; undefined where there is none, or not observing. */
  findMember(channel: string, nick: string): Member | undefined {
    return this.#session?.membership.find(channel, nick)
  }

  /** Connects, and stays connected until `quit` or an end that is not retryable. */
  start(): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    this.#failures = 0
    this.#saslFailures = 0
    this.#connect()
  }

  /** Bytes of text one line to `target` may hold so that everybody gets it whole; `undefined` while not registered. */
  textBudget(kind: TextKind, target: string): number | undefined {
    const session = this.#registered()
    return session === undefined ? undefined : textBudget(session.isupport, session, kind, target)
  }

  /** Whether a client-only tag (`+draft/react`) gets through on this connection. */
  supportsTag(tag: string): boolean {
    const session = this.#registered()
    return session?.capabilities.agreed.has('message-tags') === true && allowsClientTag(session.isupport, tag)
  }

  /** Says one line. What is longer than `textBudget` is refused (`unsent`, `too-long`), never cut. */
  async say(message: OutgoingText): Promise<SendOutcome> {
    const { kind, target, text } = message
    const budget = this.textBudget(kind, target)
    const session = this.#registered()
    if (budget === undefined || session === undefined) return { kind: 'unsent', reason: 'not-connected' }
    // An empty text is refused by every server; a list of targets or a space would address somebody else.
    if (text === '' || /[ ,]/.test(target) || target === '') return { kind: 'unsent', reason: 'invalid' }
    if (Buffer.byteLength(text) > budget) return { kind: 'unsent', reason: 'too-long' }
    const tags = this.#allowedTags(message.tags)
    if (tags === undefined) return { kind: 'unsent', reason: 'too-long' }
    const command = kind === 'notice' ? 'NOTICE' : 'PRIVMSG'
    const body = kind === 'action' ? `${ACTION_START}${text}${ACTION_END}` : text
    return session.perform({ tags, command, params: [target, body] })
  }

  /** Sends tags without a text (a reaction); `unsent`, `unsupported` where the server did not agree to all of them. */
  async sendTags(target: string, tags: Tags): Promise<SendOutcome> {
    const session = this.#registered()
    if (session === undefined) return { kind: 'unsent', reason: 'not-connected' }
    if (![...tags.keys()].every((tag) => this.supportsTag(tag)))
      return { kind: 'unsent', reason: 'unsupported' }
    const allowed = this.#allowedTags(tags)
    if (allowed === undefined) return { kind: 'unsent', reason: 'too-long' }
    return session.perform({ tags: allowed, command: 'TAGMSG', params: [target] })
  }

  /** Sends any other command whose first parameter is its object: KICK, MODE, TOPIC, INVITE, NICK … */
  async perform(command: string, ...params: string[]): Promise<SendOutcome> {
    return this.#registered()?.perform({ command, params }) ?? { kind: 'unsent', reason: 'not-connected' }
  }

  /** Joins a channel and wants it from now on: it is joined again after every reconnection. Refused = not wanted. */
  async join(channel: string, key?: string): Promise<JoinOutcome> {
    if (channel === '' || /[ ,]/.test(channel)) return { kind: 'unsent', reason: 'invalid' }
    this.#wanted.set(this.#fold(channel), { name: channel, key })
    const outcome = await this.#join(channel, key)
    if (outcome.kind === 'refused') this.#wanted.delete(this.#fold(channel))
    return outcome
  }

  /** Leaves a channel for good. */
  async part(channel: string, reason = ''): Promise<SendOutcome> {
    this.#wanted.delete(this.#fold(channel))
    return this.perform('PART', channel, ...(reason === '' ? [] : [reason]))
  }

  /** Whether the server keeps what is said in channels, and says when it has told all it was asked for. */
  get hasHistory(): boolean {
    const agreed = this.#registered()?.capabilities.agreed
    const needed = ['draft/chathistory', 'labeled-response', 'batch', 'message-tags', 'server-time']
    return agreed !== undefined && needed.every((name) => agreed.has(name))
  }

  /**
   * Has the server tell what was said in a channel behind `since` (`timestamp=…` or `msgid=…`), at most `limit` lines,
   * oldest first: as events whose `batch` is `chathistory`, all of them before this resolves as `accepted`.
   * https://ircv3.net/specs/extensions/chathistory
   */
  requestHistory(channel: string, since: string, limit: number): Promise<SendOutcome> {
    return this.perform('CHATHISTORY', 'AFTER', channel, since, String(limit))
  }

  /** Changes the nick; 433 and the like are `refused`. */
  setNick(nick: string): Promise<SendOutcome> {
    return this.perform('NICK', nick)
  }

  /** Drops the connection at once and connects anew after the usual pause: for a hub that lost its trust in it. */
  reconnect(detail: string): void {
    this.#session?.close('network', detail)
  }

  /** Says goodbye behind all queued lines and stops; resolves when the connection is closed. */
  async quit(message = 'Goodbye'): Promise<void> {
    this.#isStopped = true
    this.#retryTimer?.cancel()
    await this.#session?.quit(message)
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit()
  }

  #registered(): Session | undefined {
    return this.#session?.state === 'registered' ? this.#session : undefined
  }

  #fold(channel: string): string {
    return this.#session?.membership.fold(channel) ?? channel.toLowerCase()
  }

  #allowedTags(tags: Tags | undefined): Tags | undefined {
    const allowed = new Map<string, string>()
    let bytes = 0
    for (const [tag, value] of tags ?? []) {
      if (!tag.startsWith('+') || !this.supportsTag(tag)) continue
      allowed.set(tag, value)
      // Escaping at most doubles a value.
      bytes += tag.length + 2 + 2 * Buffer.byteLength(value)
    }
    return bytes > TAG_BYTES ? undefined : allowed
  }

  async #join(channel: string, key: string | undefined): Promise<JoinOutcome> {
    const session = this.#registered()
    if (session === undefined) return { kind: 'unsent', reason: 'not-connected' }
    const params = key === undefined ? [channel] : [channel, key]
    const outcome = await session.perform({ command: 'JOIN', params })
    if (session.membership.has(channel)) return { kind: 'joined' }
    if (outcome.kind === 'echoed' || outcome.kind === 'accepted' || outcome.kind === 'written') {
      return { kind: 'uncertain', reason: 'no-answer' }
    }
    return outcome
  }

  #connect(): void {
    const session = new Session(this.#options)
    this.#session = session
    this.#running = (async () => {
      await session.connect()
      this.#onEnd(await session.ended)
    })().catch(this.#options.onFault)
  }

  #onEvent(event: IrcEvent): void {
    if (event.type === 'kick' && event.isUs) this.#wanted.delete(this.#fold(event.channel))
    this.#report(event)
    if (event.type === 'registered') this.#onRegistered(event.isupport)
  }

  #onRegistered(isupport: Isupport): void {
    this.#registeredAt = this.#options.clock.monotonic()
    this.#saslFailures = 0
    this.#nickLength = isupport.tokens.has('NICKLEN') ? isupport.nickLength : undefined
    const wanted = [...this.#wanted.values()]
    this.#wanted.clear()
    for (const { name, key } of wanted) {
      this.#wanted.set(this.#fold(name), { name, key })
      this.#rejoin(name, key).catch(this.#options.onFault)
    }
    this.#armReclaim()
  }

  async #rejoin(channel: string, key: string | undefined): Promise<void> {
    const outcome = await this.#join(channel, key)
    if (outcome.kind !== 'refused') return
    this.#wanted.delete(this.#fold(channel))
    this.#report({ type: 'rejoin-refused', channel, code: outcome.code, reason: outcome.reason })
  }

  /** Tries for the first nick again from time to time: after a loss its old bearer is often our own shadow. */
  #armReclaim(): void {
    const session = this.#session
    const first = this.#options.nickCandidates(0, this.#nickLength)
    const { reclaim } = this.#options.timing
    if (session === undefined || first === undefined || reclaim === 0) return
    session.setTimer('reclaim', reclaim, () => {
      if (session.membership.fold(session.nick) === session.membership.fold(first)) return
      session.perform({ command: 'NICK', params: [first] }).catch(this.#options.onFault)
      this.#armReclaim()
    })
  }

  #onEnd(end: SessionEnd): void {
    this.#session = undefined
    const { clock, timing } = this.#options
    const isStable = end.wasRegistered && clock.monotonic() - this.#registeredAt >= timing.stable
    if (isStable) this.#failures = 0
    if (end.reason === 'sasl-failed') this.#saslFailures++
    const pause = this.#isStopped ? undefined : this.#pause(end.reason)
    if (pause === undefined) this.#isStopped = true
    const { reason, detail } = end
    if (pause !== undefined) this.#retryTimer = clock.setTimeout(() => this.#connect(), pause)
    this.#report({ type: 'disconnected', reason, detail, retryable: pause !== undefined, retryInMs: pause })
  }

  /** Milliseconds until the next attempt: doubling, with jitter of a half so that many clients do not return as one. */
  #pause(reason: DisconnectReason): number | undefined {
    const { timing, random } = this.#options
    if (RETRY[reason] === 'never' || this.#saslFailures >= SASL_TRIES) return undefined
    const grown = Math.min(timing.backoffMax, timing.backoff * 2 ** Math.min(this.#failures++, 30))
    const base = RETRY[reason] === 'later' ? Math.max(grown, timing.later) : grown
    return Math.round(base * (0.5 + random.fraction() / 2))
  }
}
