import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'
import type { Account, Speaker } from '../../core/network.ts'
import { IrcClient } from './client/client.ts'
import { RETRY } from './client/disconnect-reason.ts'
import type { DisconnectReason, IrcEvent } from './client/events.ts'
import { nickCandidates, nickOf } from './nick.ts'
import type { IrcServerOptions } from './server-options.ts'

export interface PuppetDeps {
  readonly options: IrcServerOptions
  readonly clock: Clock
  readonly random: Random
  readonly findAccount: (userId: string) => Promise<Account | undefined>
  readonly onFault: (cause: unknown) => void
  /** What IRC compares nicks by. */
  readonly fold: (nick: string) => string
}

/** So long nobody knocks again where they were not let in. */
const BANNED_PAUSE_MS = 600_000

/** A Matrix user's own connection. */
interface Puppet {
  readonly userId: string
  readonly client: IrcClient
  displayName: string
  lastUsedMs: number
  /** Every nick it has or may still be seen under. */
  nick: string
  /** Settled by a registration (true), or by an end for good. A loss makes a new one. */
  ready: PromiseWithResolvers<boolean>
  end: DisconnectReason | undefined
  endedMs: number
  /** It was registered at some time. */
  wasIn: boolean
  /** It gave a password of its own, and people were not told yet that the network let it in without. */
  isUnproven: boolean
}

export type PuppetResult =
  | { readonly kind: 'ready'; readonly client: IrcClient }
  /** Too many connections, or not now: the bot may relay. `reason`: what is worth telling people. */
  | { readonly kind: 'relay'; readonly reason?: string }
  /** The network does not want this person. */
  | { readonly kind: 'refused'; readonly reason: string }

/** What people are told where the network wants somebody's own connection at most later. */
const NOT_LET_IN = 'the network allows no more connections from here'
const REFUSED: Partial<Record<DisconnectReason, string>> = {
  throttled: NOT_LET_IN,
  // Before anybody was in: a server that closes while we still introduce ourselves takes its own words back with it.
  network: NOT_LET_IN,
  'server-closed': NOT_LET_IN,
  'sasl-failed': 'the network did not take the password of an account',
  'sasl-unavailable': 'the network did not offer to log in to an account',
  'nick-refused': 'the network took none of the nicks',
}

const DEFAULT_NICK_LENGTH = 16
const SWEEP_MS = 60_000
const isRegistered = ({ client }: Puppet): boolean => client.state === 'registered'
const localpartOf = (userId: string): string => userId.slice(1).split(':', 1)[0] ?? userId

function relay({ end, wasIn }: Puppet): PuppetResult {
  const isWordless = end === 'network' || end === 'server-closed'
  const reason = end === undefined || (isWordless && wasIn) ? undefined : REFUSED[end]
  return reason === undefined ? { kind: 'relay' } : { kind: 'relay', reason }
}

/** Everybody's own connections to one server: made when somebody first speaks, kept while Matrix is quiet. */
export class PuppetPool {
  readonly #deps: PuppetDeps
  readonly #puppets = new Map<string, Puppet>()
  /** Folded nick → who has it; left behind ones are told by `#puppets`. */
  readonly #byNick = new Map<string, Puppet>()
  #sweep: Timer | undefined

  constructor(deps: PuppetDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#puppets.size
  }

  /** The user behind a nick; undefined for nicks of others. */
  ownerOf(nick: string): { userId: string; displayName: string } | undefined {
    const puppet = this.#byNick.get(this.#deps.fold(nick))
    return puppet === undefined || this.#puppets.get(puppet.userId) !== puppet ? undefined : puppet
  }

  nickOf(userId: string): string | undefined {
    const puppet = this.#puppets.get(userId)
    return puppet === undefined || puppet.nick === '' ? undefined : puppet.nick
  }

  client(userId: string): IrcClient | undefined {
    return this.#puppets.get(userId)?.client
  }

  clients(): IrcClient[] {
    return [...this.#puppets.values()].map((puppet) => puppet.client)
  }

  /** A puppet's nick changed before its own connection said so. */
  learnNick(userId: string, nick: string): void {
    const puppet = this.#puppets.get(userId)
    if (puppet !== undefined) this.#setNick(puppet, nick)
  }

  /** Whether somebody's password was not taken when they connected: true once for each connection. */
  takeUnproven(userId: string): boolean {
    const puppet = this.#puppets.get(userId)
    if (puppet?.isUnproven !== true) return false
    puppet.isUnproven = false
    return true
  }

  /** The connection of somebody who wants to speak, made now if need be; waits for it a while. */
  async connect(speaker: Speaker): Promise<PuppetResult> {
    const { clock, options } = this.#deps
    this.#forgive(speaker.userId)
    const puppet = this.#puppets.get(speaker.userId) ?? (await this.#create(speaker))
    if (puppet === undefined)
      return { kind: 'relay', reason: `no more than ${options.puppets.max} have one at the same time` }
    puppet.lastUsedMs = clock.monotonic()
    if (isRegistered(puppet)) return { kind: 'ready', client: puppet.client }
    // It was refused and knocks again later: no message waits for that.
    if (puppet.client.state === 'waiting' && puppet.end !== undefined && RETRY[puppet.end] === 'later')
      return relay(puppet)
    const patience = new AbortController()
    const late = clock.sleep(options.puppets.patienceMs, patience.signal).then(
      () => false,
      () => false,
    )
    const isReady = await Promise.race([puppet.ready.promise, late])
    patience.abort()
    if (isReady && isRegistered(puppet)) return { kind: 'ready', client: puppet.client }
    if (puppet.end === 'banned') return { kind: 'refused', reason: 'the network does not let them in' }
    return relay(puppet)
  }

  /** The network lets no more in, not even the bot: the connection that was silent for longest makes room. */
  makeRoom(): void {
    const [silent] = [...this.#puppets.values()].toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)
    if (silent === undefined) return
    this.drop(silent.userId, 'The bridge needs the connection').catch(this.#deps.onFault)
  }

  rename(userId: string, displayName: string): void {
    const puppet = this.#puppets.get(userId)
    if (puppet === undefined || puppet.displayName === displayName) return
    puppet.displayName = displayName
    const nickLength = puppet.client.isupport?.nickLength ?? DEFAULT_NICK_LENGTH
    const { suffix } = this.#deps.options.puppets
    const nick = nickOf({ displayName, localpart: localpartOf(userId), nickLength, suffix })
    if (nick !== puppet.nick) void puppet.client.setNick(nick).catch(this.#deps.onFault)
  }

  /** Closes somebody's connection. */
  async drop(userId: string, reason: string): Promise<void> {
    const puppet = this.#puppets.get(userId)
    if (puppet === undefined) return
    await puppet.client.quit(reason)
    if (this.#puppets.get(userId) === puppet) this.#puppets.delete(userId)
    if (this.#byNick.get(this.#deps.fold(puppet.nick)) === puppet)
      this.#byNick.delete(this.#deps.fold(puppet.nick))
  }

  async stop(): Promise<void> {
    this.#sweep?.cancel()
    await Promise.all([...this.#puppets.keys()].map((userId) => this.drop(userId, 'The bridge goes down')))
  }

  async #create(speaker: Speaker): Promise<Puppet | undefined> {
    const { options, clock, findAccount } = this.#deps
    if (this.#puppets.size >= options.puppets.max) return undefined
    const account = await findAccount(speaker.userId)
    // Another lane may have been faster.
    const known = this.#puppets.get(speaker.userId)
    if (known !== undefined) return known
    const puppet: Puppet = {
      ...{ userId: speaker.userId, displayName: speaker.displayName, nick: '', end: undefined, endedMs: 0 },
      wasIn: false,
      isUnproven: false,
      ...{ lastUsedMs: clock.monotonic(), ready: Promise.withResolvers<boolean>() },
      client: this.#createClient(speaker, account, (event) => {
        if (event.type === 'registered')
          puppet.isUnproven = account?.credentials !== undefined && event.account === undefined
        this.#onEvent(puppet, event)
      }),
    }
    this.#puppets.set(speaker.userId, puppet)
    puppet.client.start()
    this.#armSweep()
    return puppet
  }

  #createClient(
    { userId, displayName }: Speaker,
    account: Account | undefined,
    onEvent: (event: IrcEvent) => void,
  ): IrcClient {
    const { options, clock, random, onFault } = this.#deps
    const localpart = localpartOf(userId)
    const chosen = account === undefined || account.nick === '' ? undefined : account.nick
    const candidates = (attempt: number, nickLength = DEFAULT_NICK_LENGTH): string | undefined => {
      if (chosen !== undefined && attempt === 0) return chosen.slice(0, nickLength)
      const name = { displayName: chosen ?? displayName, localpart, nickLength }
      const all = [...nickCandidates({ ...name, suffix: options.puppets.suffix })]
      return all[chosen === undefined ? attempt : attempt - 1]
    }
    const { credentials } = account ?? {}
    return new IrcClient({
      server: options.dial,
      nickCandidates: candidates,
      username: localpart.replace(/[^A-Za-z0-9]/g, '').slice(0, 9) || 'matrix',
      realname: userId,
      ...(credentials && { sasl: { mechanism: 'PLAIN', ...credentials, required: false } }),
      observe: false,
      flood: options.flood,
      ...(options.timing && { timing: options.timing }),
      ...{ clock, random, onEvent, onFault },
    })
  }

  #onEvent(puppet: Puppet, event: IrcEvent): void {
    if (event.type === 'registered') {
      this.#setNick(puppet, event.nick)
      puppet.end = undefined
      puppet.wasIn = true
      puppet.ready.resolve(true)
    } else if (event.type === 'nick' && event.own) this.#setNick(puppet, event.nick)
    else if (event.type === 'disconnected') {
      puppet.end = event.reason
      puppet.endedMs = this.#deps.clock.monotonic()
      puppet.ready.resolve(false)
      if (event.retryable) puppet.ready = Promise.withResolvers<boolean>()
      // Who was not let in is remembered; for others the next message makes a new connection.
      else if (event.reason !== 'banned' && this.#puppets.get(puppet.userId) === puppet)
        this.#puppets.delete(puppet.userId)
    }
  }

  #setNick(puppet: Puppet, nick: string): void {
    const { fold } = this.#deps
    if (this.#byNick.get(fold(puppet.nick)) === puppet) this.#byNick.delete(fold(puppet.nick))
    puppet.nick = nick
    this.#byNick.set(fold(nick), puppet)
  }

  #forgive(userId: string): void {
    const puppet = this.#puppets.get(userId)
    if (puppet?.end !== 'banned' || puppet.client.state !== 'stopped') return
    if (this.#deps.clock.monotonic() - puppet.endedMs > BANNED_PAUSE_MS) this.#puppets.delete(userId)
  }

  #armSweep(): void {
    const { clock, options, onFault } = this.#deps
    const { idleMs } = options.puppets
    if (idleMs === 0 || this.#sweep !== undefined) return
    this.#sweep = clock.setTimeout(
      () => {
        this.#sweep = undefined
        const limit = clock.monotonic() - idleMs
        for (const puppet of this.#puppets.values()) {
          if (puppet.lastUsedMs < limit) this.drop(puppet.userId, 'Nobody spoke for long').catch(onFault)
        }
        if (this.#puppets.size > 0) this.#armSweep()
      },
      Math.min(idleMs, SWEEP_MS),
      { unref: true },
    )
  }
}
