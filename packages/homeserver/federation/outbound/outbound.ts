import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { ReceiptEntry } from '@causeway/store/log/entry.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { listServersWithUnsent } from '@causeway/store/tables/outbound.ts'
import type { HomeserverConfig } from '../../config.ts'
import type { Logger } from '../../ops/log.ts'
import { presenceContent } from '../../presence/presence-event.ts'
import type { Presence } from '../../presence/presence.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { Notifier } from '../../sync/notifier.ts'
import type { VolatileStream } from '../../sync/volatile.ts'
import type { Typing } from '../../user-data/typing.ts'
import type { FederationClient } from '../federation-client.ts'
import { startDispatch, type Dispatcher } from './dispatch.ts'
import { createOutboundFigures, type OutboundFigures } from './figures.ts'
import { createRoomTargets } from './room-targets.ts'
import { createSender, type Sender, type ServerState } from './sender.ts'
import { createServerSets } from './server-sets.ts'
import { createUnsentRooms } from '../../outgoing/unsent-rooms.ts'
import { createVolatileEdus } from './volatile-edus.ts'
import { createVolatileFeed } from './volatile-feed.ts'

export interface OutboundDeps {
  readonly serverName: ServerName
  readonly config: HomeserverConfig
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly volatile: VolatileStream
}

/** Where what is volatile is read. */
export interface OutboundSources {
  readonly typing: Pick<Typing, 'of'>
  readonly presence: Pick<Presence, 'of' | 'changedSince'>
}

/** Everything that this server sends to others of its own accord: events of its users, and EDUs. */
export interface Outbound extends AsyncDisposable {
  readonly figures: OutboundFigures
  /** A notifier that tells this one, too, of typing and presence. */
  watch(notifier: Notifier): Notifier
  /** Begins to read the log and to send. Before anything is written to the log. */
  start(client: FederationClient, sources: OutboundSources): Promise<void>
  /** Whether anything is sent to other servers at all. */
  isRunning(): boolean
  /** Something durable for a server was written by somebody else than the log's reader: messages to devices. */
  wake(server: ServerName): void
  /** A server sent us something: what waits for it goes now. */
  heardFrom(server: ServerName): void
  /** Servers that something is to be sent to, as far as they are in memory. */
  states(): ServerState[]
  /** Resolves when everything up to a log position is written down for those who shall have it. */
  reached(position: number): Promise<void>
  /**
   * Resolves when servers have got what they shall have of the log up to now, as far as they can be reached; at the
   * latest after so many milliseconds.
   */
  caughtUp(servers: readonly ServerName[], withinMs: number): Promise<void>
  /** Resolves when all that can be sent now is sent: for tests. */
  idle(): Promise<void>
}

/** How often the tables are looked through for servers that had no place in memory. */
const RECHECK_MS = 10 * 60_000
const PORTION = 1_000

export function createOutbound(deps: OutboundDeps): Outbound {
  return new RunningOutbound(deps)
}

interface Running {
  readonly dispatcher: Dispatcher
  readonly sender: Sender
}

class RunningOutbound implements Outbound {
  readonly figures = createOutboundFigures()
  readonly #deps: OutboundDeps
  readonly #targets
  readonly #unsent
  readonly #edus
  readonly #feed
  #sources: OutboundSources | undefined
  #running: Running | undefined
  #timer: Timer | undefined

  constructor(deps: OutboundDeps) {
    this.#deps = deps
    this.#targets = createRoomTargets(deps)
    this.#unsent = createUnsentRooms<ServerName>(deps.budget, 'unsent_rooms')
    this.#edus = createVolatileEdus(deps.budget, (userId) =>
      presenceContent(this.#sources?.presence.of(userId), deps.clock.now()),
    )
    this.#feed = createVolatileFeed({
      ...deps,
      volatileStream: deps.volatile,
      targets: this.#targets,
      edus: this.#edus,
      position: () => this.#running?.dispatcher.position() ?? 0,
      wake: (server) => this.wake(server),
      isReachable: (server) => this.#running?.sender.isReachable(server) ?? false,
    })
  }

  watch(notifier: Notifier): Notifier {
    return this.#feed.watch(notifier)
  }

  async start(client: FederationClient, sources: OutboundSources): Promise<void> {
    this.#sources = sources
    const { serverName } = this.#deps
    const dispatcher = await startDispatch({
      ...this.#deps,
      targets: this.#targets,
      unsent: this.#unsent,
      wake: (server) => this.wake(server),
      onReceipt: (entry: ReceiptEntry) => this.#feed.onReceipt(entry),
    })
    const sender = createSender({
      ...this.#deps,
      serverName,
      client,
      targets: this.#targets,
      sets: createServerSets(this.#deps.db),
      unsent: this.#unsent,
      volatile: this.#edus,
      figures: this.figures,
      dispatcher,
    })
    this.#running = { dispatcher, sender }
    this.#feed.open(sources)
    await this.#wakeAll()
    this.#recheckLater()
  }

  isRunning(): boolean {
    return this.#running !== undefined
  }

  wake(server: ServerName): void {
    if (server !== this.#deps.serverName) this.#running?.sender.wake(server)
  }

  heardFrom(server: ServerName): void {
    this.#running?.sender.heardFrom(server)
  }

  states(): ServerState[] {
    return this.#running?.sender.states() ?? []
  }

  reached(position: number): Promise<void> {
    return this.#running?.dispatcher.reached(position) ?? Promise.resolve()
  }

  async caughtUp(servers: readonly ServerName[], withinMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined || servers.length === 0) return
    const all = async (): Promise<void> => {
      await running.dispatcher.reached(this.#deps.log.head())
      await Promise.all(servers.map((server) => running.sender.settled(server)))
    }
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = this.#deps.clock.setTimeout(resolve, withinMs, { unref: true })
    await Promise.race([all(), late]).finally(() => timer.cancel())
  }

  async idle(): Promise<void> {
    await this.#feed.settled()
    await this.#running?.sender.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel()
    this.#feed[Symbol.dispose]()
    await this.#feed.settled()
    // What is under way waits for the reader of the log, so that one ends last.
    await this.#running?.sender[Symbol.asyncDispose]()
    await this.#running?.dispatcher[Symbol.asyncDispose]()
  }

  async #wakeAll(): Promise<void> {
    for (let after = ''; ;) {
      const servers = await listServersWithUnsent(this.#deps.db, after, PORTION)
      for (const server of servers) this.wake(server as ServerName)
      if (servers.length < PORTION) {
        this.#running?.sender.wokeAll()
        return
      }
      after = servers.at(-1)!
    }
  }

  #recheckLater(): void {
    const recheck = (): void => {
      this.#recheckLater()
      if (this.#running?.sender.overflowed() !== true) return
      this.#wakeAll().catch((error: unknown) =>
        this.#deps.logger.error('the queues of other servers cannot be read', { error }),
      )
    }
    this.#timer = this.#deps.clock.setTimeout(recheck, RECHECK_MS, { unref: true })
  }
}
