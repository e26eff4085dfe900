import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'
import type { People } from '../../core/ghost-ids.ts'
import type {
  Account,
  ConnectionResult,
  LinkOptions,
  OpenResult,
  Portal,
  RemoteSink,
  Resumption,
  Speaker,
} from '../../core/network.ts'
import { channelKey } from './channel-names.ts'
import { ChannelHistory } from './channel-history.ts'
import { ChannelPeople, hasChannel } from './channel-people.ts'
import { IrcClient } from './client/client.ts'
import type { JoinOutcome } from './client/client.ts'
import type { IrcEvent } from './client/events.ts'
import { createIrcConnection } from './connection.ts'
import { observeEvent } from './observe.ts'
import type { Observed } from './observe.ts'
import { textOfPart } from './part.ts'
import { PuppetPool } from './puppets.ts'
import type { IrcServerOptions } from './server-options.ts'

export interface IrcServerDeps {
  readonly options: IrcServerOptions
  readonly clock: Clock
  readonly random: Random
  readonly people: People
  readonly findAccount: (userId: string) => Promise<Account | undefined>
  readonly onFault: (cause: unknown) => void
}

interface Entry {
  readonly portal: Portal
  reconcile: Timer | undefined
  rejoin: Timer | undefined
  /** Why the bot speaks for others → when people were told; as many as there are reasons. */
  readonly toldRelay: Map<string, number>
  readonly history: ChannelHistory
}

const AWAY_PAUSE_MS = 1_000
const REJOIN_MS = 60_000
const TELL_AGAIN_MS = 86_400_000
/** For the last words in a channel that is being left. */
const FORGOTTEN = { doubt: () => undefined, findSaid: () => undefined }
/** Banned from the channel (or the network's way to say so). */
const BANNED_CODES = new Set(['465', '474'])

/** One IRC network: the bot, which watches all channels, and people's own connections, which only speak. */
export class IrcServer {
  readonly #deps: IrcServerDeps
  readonly #bot: IrcClient
  readonly #puppets: PuppetPool
  readonly #people: ChannelPeople
  /** By `channelKey`. */
  readonly #entries = new Map<string, Entry>()
  #observed: Observed | undefined
  #sink: RemoteSink | undefined

  constructor(deps: IrcServerDeps) {
    this.#deps = deps
    const { options, clock, random, onFault } = deps
    this.#bot = new IrcClient({
      server: options.dial,
      nickCandidates: (attempt) => (attempt < 6 ? `${options.nick}${'_'.repeat(attempt)}` : undefined),
      ...{ username: options.username, realname: options.realname, sasl: options.sasl },
      ...{ userModes: options.userModes, flood: options.flood, clock, random, onFault },
      ...(options.timing && { timing: options.timing }),
      onEvent: (event) => this.#onEvent(event),
    })
    const fold = (nick: string): string => this.#people.fold(nick)
    this.#puppets = new PuppetPool({ options, clock, random, onFault, fold, findAccount: deps.findAccount })
    const { name: server } = options
    this.#people = new ChannelPeople({ bot: this.#bot, puppets: this.#puppets, people: deps.people, server })
  }

  start(sink: RemoteSink): void {
    this.#sink = sink
    this.#observed = this.#observe(sink)
    this.#bot.start()
  }

  async stop(): Promise<void> {
    for (const entry of this.#entries.values()) cancelTimers(entry)
    await Promise.all([this.#puppets.stop(), this.#bot.quit('The bridge goes down')])
  }

  get isupport(): IrcClient['isupport'] {
    return this.#bot.isupport
  }

  async open(portal: Portal, options: LinkOptions, resumption?: Resumption): Promise<OpenResult> {
    const { history } = this.#entry(portal)
    if (resumption !== undefined) {
      const { cursor, underWay } = resumption
      const texts = underWay.map(textOfPart).filter((text) => text !== undefined)
      history.resume(cursor === undefined ? options.liveTs : Number(cursor), texts)
    }
    if (this.#people.isIn(portal)) {
      this.#announce(portal)
      return { kind: 'open', isDeserted: this.#people.isDeserted(portal) }
    }
    const outcome = await this.#bot.join(portal.name)
    if (outcome.kind === 'joined') return { kind: 'open', isDeserted: this.#people.isDeserted(portal) }
    if (outcome.kind !== 'refused') return { kind: 'waiting', reason: 'the server cannot be reached' }
    this.#forget(portal)
    return { kind: 'refused', reason: outcome.reason === '' ? `refused (${outcome.code})` : outcome.reason }
  }

  async close(portal: Portal, reason: string): Promise<void> {
    if (!this.#forget(portal)) return
    const leaving = [...this.#puppets.clients(), this.#bot].filter((client) => hasChannel(client, portal))
    await Promise.all(leaving.map((client) => client.part(portal.name, reason)))
  }

  async connect(
    portal: Portal,
    speaker: Speaker | undefined,
    { mode }: LinkOptions,
  ): Promise<ConnectionResult> {
    const away = { kind: 'retry', reason: 'the server cannot be reached', afterMs: AWAY_PAUSE_MS } as const
    const isFetching = this.#history(portal)?.isFetching
    if (!this.#people.isIn(portal) || isFetching === true) return away
    if (speaker === undefined || speaker.isGhost || mode === 'relay')
      return this.#speak(portal, speaker, undefined)
    const found = await this.#puppets.connect(speaker)
    if (found.kind === 'refused') return found
    if (found.kind === 'relay')
      return this.#people.isIn(portal) ? this.#relay(portal, speaker, found.reason) : away
    if (hasChannel(found.client, portal))
      return this.#noteUnproven(speaker, this.#speak(portal, speaker, found.client))
    const joined = await found.client.join(portal.name)
    return this.#noteUnproven(speaker, this.#afterJoin(portal, speaker, found.client, joined))
  }

  async part(portal: Portal, userId: string, reason: string): Promise<void> {
    const client = this.#puppets.client(userId)
    if (client === undefined) return
    await client.part(portal.name, reason)
    if (client.channels.length === 0) await this.#puppets.drop(userId, reason)
  }

  rename(userId: string, displayName: string): void {
    this.#puppets.rename(userId, displayName)
  }

  async setNick(userId: string, nick: string): Promise<string | undefined> {
    const limit = this.#bot.isupport?.nickLength ?? 30
    if (!/^[A-Za-z[\]\\`_^{|}][A-Za-z0-9[\]\\`_^{|}-]*$/.test(nick)) return 'that is no nick'
    if (nick.length > limit) return `a nick has at most ${limit} characters there`
    if (/serv$/i.test(nick)) return 'that nick could be taken for a service'
    const outcome = await this.#puppets.client(userId)?.setNick(nick)
    return outcome?.kind === 'refused' ? outcome.reason || `the server refused (${outcome.code})` : undefined
  }

  describe(portal: Portal): string {
    if (this.#bot.state !== 'registered') return 'not connected'
    const people = this.#bot.members(portal.name).length
    if (!this.#people.isIn(portal)) return `connected as ${this.#bot.nick}, but not in the channel`
    return `connected as ${this.#bot.nick}, ${people} people there, ${this.#puppets.size} connections of our own`
  }

  /** Who speaks without the account whose password they gave is told so: they would only learn it from others. */
  #noteUnproven({ userId, displayName }: Speaker, found: ConnectionResult): ConnectionResult {
    if (found.kind !== 'ready' || !this.#puppets.takeUnproven(userId)) return found
    const { name, displayName: network } = this.#deps.options
    const note =
      `${displayName}: ${network} did not take your password, so you speak there without your account. ` +
      `Give it anew: !irc identify ${name} <account> <password>`
    return { ...found, note }
  }

  /** Banned people stay out: the bot must not become their way around it. Other obstacles it may help over. */
  #afterJoin(portal: Portal, speaker: Speaker, client: IrcClient, joined: JoinOutcome): ConnectionResult {
    if (joined.kind === 'joined') return this.#speak(portal, speaker, client)
    if (joined.kind === 'refused' && BANNED_CODES.has(joined.code))
      return { kind: 'refused', reason: `${portal.name} has banned them` }
    if (joined.kind === 'refused') return this.#speak(portal, speaker, undefined)
    return { kind: 'retry', reason: 'joining took too long', afterMs: AWAY_PAUSE_MS }
  }

  /** The bot speaks for somebody who would have a connection of their own; people are told why, once. */
  #relay(portal: Portal, speaker: Speaker, reason: string | undefined): ConnectionResult {
    const spoken = this.#speak(portal, speaker, undefined)
    const told = this.#entries.get(channelKey(portal.name))?.toldRelay
    const now = this.#deps.clock.monotonic()
    if (reason === undefined || told === undefined || spoken.kind !== 'ready') return spoken
    if (now - (told.get(reason) ?? -Infinity) < TELL_AGAIN_MS) return spoken
    told.set(reason, now)
    const note = `In ${portal.name} I speak for those who have no connection of their own: ${reason}.`
    return { ...spoken, note }
  }

  #speak(portal: Portal, speaker: Speaker | undefined, own: IrcClient | undefined): ConnectionResult {
    const connection = createIrcConnection({
      client: own ?? this.#bot,
      channel: portal.name,
      relayFor: own === undefined ? speaker : undefined,
      isBot: own === undefined,
      options: this.#deps.options,
      nickOf: (userId) => this.#people.nickOf(portal, userId),
      history: this.#history(portal) ?? FORGOTTEN,
      isOperator: () => this.#people.isOperator(portal.name, this.#bot.nick),
    })
    return { kind: 'ready', connection }
  }

  #onEvent(event: IrcEvent): void {
    const channel = 'channel' in event ? event.channel : undefined
    const history = channel === undefined ? undefined : this.#history({ name: channel })
    // Names are the state of the channel, whatever was said in it before.
    if (event.type !== 'names' && history?.take(event) === true) return
    this.#handle(event)
  }

  #handle(event: IrcEvent): void {
    if (event.type === 'names') this.#onNames(event.channel)
    else if (event.type === 'disconnected' && event.reason === 'throttled') this.#puppets.makeRoom()
    else if (event.type === 'rejoin-refused') this.#onRejoinRefused(event.channel, event.code, event.reason)
    else if (this.#observed !== undefined) observeEvent(this.#observed, event)
  }

  /** The form under which a nick is the same person. */
  personId(nick: string): string {
    return this.#people.fold(nick)
  }

  #onNames(channel: string): void {
    const entry = this.#entries.get(channelKey(channel))
    if (entry === undefined) return
    this.#announce(entry.portal)
    // Whoever was here before our connection broke may come back as we did.
    this.#reconcileLater(entry)
  }

  #onRejoinRefused(channel: string, code: string, reason: string): void {
    const entry = this.#entries.get(channelKey(channel))
    if (entry === undefined) return
    if (BANNED_CODES.has(code)) {
      this.#sink?.lost(entry.portal, `the bridge is banned (${reason})`)
      return
    }
    entry.rejoin = this.#deps.clock.setTimeout(() => {
      this.#bot.join(channel).then((outcome) => {
        if (outcome.kind === 'refused') this.#onRejoinRefused(channel, outcome.code, outcome.reason)
      }, this.#deps.onFault)
    }, REJOIN_MS)
  }

  #announce(portal: Portal): void {
    for (const { nick } of this.#people.others(portal)) {
      this.#sink?.receive(portal, { type: 'join', person: { id: this.#people.fold(nick), name: nick } })
    }
  }

  #reconcileLater(entry: Entry): void {
    entry.reconcile?.cancel()
    entry.reconcile = this.#deps.clock.setTimeout(() => {
      entry.reconcile = undefined
      // Away again: the next names begin the wait anew.
      if (!this.#people.isIn(entry.portal)) return
      const members = this.#people
        .others(entry.portal)
        .map(({ nick }) => ({ id: this.#people.fold(nick), name: nick }))
      this.#sink?.receive(entry.portal, { type: 'members', members })
    }, this.#deps.options.absenceMs)
  }

  #observe(sink: RemoteSink): Observed {
    return {
      sink,
      fold: (nick) => this.#people.fold(nick),
      portalOf: (channel) => this.#entries.get(channelKey(channel))?.portal,
      ownerOf: (nick) => (this.#people.isBot(nick) ? '' : this.#puppets.ownerOf(nick)?.userId),
      personOf: (channel, nick) => this.#people.personOf(channel, nick),
      isOperator: (channel, nick) => this.#people.isOperator(channel, nick),
      ownMembers: (channel) => this.#people.ownMembers(channel),
      cursorOf: ({ time }) => (time === undefined || !this.#bot.hasHistory ? undefined : String(time)),
      learnNick: (userId, nick) => this.#puppets.learnNick(userId, nick),
      reconcileLater: (portal) => {
        const entry = this.#entries.get(channelKey(portal.name))
        if (entry !== undefined) this.#reconcileLater(entry)
      },
    }
  }

  #history({ name }: Pick<Portal, 'name'>): ChannelHistory | undefined {
    return this.#entries.get(channelKey(name))?.history
  }

  /** The bot under any of the nicks it goes by: it may have had another one when it said it. */
  #isBotNick(nick: string): boolean {
    return this.#people.fold(nick).replace(/_+$/, '') === this.#people.fold(this.#deps.options.nick)
  }

  #entry(portal: Portal): Entry {
    const key = channelKey(portal.name)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const { clock, onFault } = this.#deps
    const history = new ChannelHistory({
      ...{ client: this.#bot, channel: portal.name, clock },
      tell: (event, isHistory) => {
        if (!isHistory) this.#handle(event)
        else if (this.#observed !== undefined && !('from' in event && this.#isBotNick(event.from.nick)))
          observeEvent(this.#observed, event, true)
      },
      isOther: (nick) => this.#people.isOther(portal, nick),
      onCut: (lines) =>
        onFault(
          new Error(
            `more was said in ${portal.name} while we were away than ${lines} lines: the rest is lost`,
          ),
        ),
    })
    const entry = { portal, reconcile: undefined, rejoin: undefined, toldRelay: new Map(), history }
    this.#entries.set(key, entry)
    return entry
  }

  #forget(portal: Portal): boolean {
    const entry = this.#entries.get(channelKey(portal.name))
    if (entry !== undefined) cancelTimers(entry)
    return this.#entries.delete(channelKey(portal.name))
  }
}

function cancelTimers(entry: Entry): void {
  entry.reconcile?.cancel()
  entry.rejoin?.cancel()
}
