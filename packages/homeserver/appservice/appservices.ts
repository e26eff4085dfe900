import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Cursor } from '@causeway/store/log/cursor.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { noteClaimedKey, type ClaimedKey } from '@causeway/store/tables/appservice-encryption.ts'
import { findUser, insertUser, type UserRecord } from '@causeway/store/tables/users.ts'
import type { KeyCounts } from '../devices/key-counts.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { startDispatch } from './dispatch.ts'
import { createHttpSender, type SendHttp } from './http-send.ts'
import { prepareKnown, type KnownAppservice } from './known.ts'
import { findKeeper } from './owner.ts'
import { createAppserviceClient, type AppserviceClient } from './outbound.ts'
import { AppserviceQueue, type Deliver, type QueueState } from './queue.ts'
import { createReceivers, type InProcessReceiver, type Receivers } from './receivers.ts'
import type { Appservice } from './registration.ts'
import type { AppserviceRegistry } from './registry.ts'
import { RoomInterest } from './room-interest.ts'

export interface AppserviceDeps {
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly keyCounts: Pick<KeyCounts, 'of' | 'forget'>
}

export interface AppserviceOptions {
  /** How requests go out; default: over HTTP, with connections of its own. */
  readonly send?: SendHttp
  /** Told of every entry of the log, after the events before it were put. For ephemeral data. */
  readonly onEntry?: (entry: LogEntry) => void
}

/** All appservices of a running server: who they are, and what they are sent. */
export interface Appservices extends AsyncDisposable {
  readonly registry: AppserviceRegistry
  /** Accounts that appservices act as; see `session.ts`. */
  readonly users: Cache<string, UserRecord>
  /** Requests to an appservice; undefined when it has no URL and does not live in this process. */
  client(appserviceId: string): AppserviceClient | undefined
  /** The queue of an appservice that is sent anything, once `start` was called. */
  queue(appserviceId: string): AppserviceQueue | undefined
  /** What an appservice of this process is sent goes there from now on; until then it waits. */
  attach(appserviceId: string, receiver: InProcessReceiver): void
  /** Whether an appservice that is sent anything wants the events of a room, as of what it was sent. */
  wantsRoom(
    appserviceId: string,
    room: { readonly roomId: RoomId; readonly roomNid: number },
  ): Promise<boolean>
  /** A room got or lost an alias: after the commit. */
  aliasesChanged(roomNid: number): void
  /** An account that appservices may act as changed: after the commit. */
  forgetUser(userId: string): void
  /**
   * What goes into the write that hands out keys of devices, before the steps that do so: appservices are told of theirs.
   * `done` is called when it is durable.
   */
  noteClaims(
    keys: readonly ClaimedKey[],
    kind: 'oneTime' | 'fallback',
  ): Promise<{ readonly steps: readonly Step[]; readonly done: () => void }>
  /** Makes the accounts of the senders and begins to send. Before anything is written to the log. */
  start(): Promise<void>
  /** Resolves when everything up to a log position was put into the queues. */
  reached(position: number): Promise<void>
}

/** Appservices and their state, as an operator sees them. */
export function listAppserviceStates(appservices: Appservices): ({
  readonly id: string
  readonly url: string | undefined
  readonly sender: string
} & Partial<QueueState>)[] {
  return appservices.registry.list.map(({ id, url, sender }) => ({
    id,
    url,
    sender,
    ...appservices.queue(id)?.state(),
  }))
}

/** One a process. Nothing is sent before `start`. */
export function createAppservices(
  deps: AppserviceDeps,
  registry: AppserviceRegistry,
  options: AppserviceOptions = {},
): Appservices {
  return new RunningAppservices(deps, registry, options)
}

class RunningAppservices implements Appservices {
  readonly registry: AppserviceRegistry
  readonly users: Cache<string, UserRecord>
  readonly #deps: AppserviceDeps
  readonly #options: AppserviceOptions
  readonly #receivers: Receivers
  readonly #http: ReturnType<typeof createHttpSender>
  readonly #clients: ReadonlyMap<string, AppserviceClient>
  readonly #queues = new Map<string, AppserviceQueue>()
  readonly #known = new Map<string, KnownAppservice>()
  #interest: RoomInterest | undefined
  #cursor: Cursor | undefined

  constructor(deps: AppserviceDeps, registry: AppserviceRegistry, options: AppserviceOptions) {
    this.#deps = deps
    this.registry = registry
    this.#options = options
    this.users = deps.budget.cache({ name: 'appservice_users', share: 0.01, weigh: () => 400 })
    this.#receivers = createReceivers()
    this.#http = createHttpSender(deps.clock)
    const send = options.send ?? this.#http.send
    this.#clients = new Map(
      registry.list.flatMap((one) => {
        const client = this.#clientOf(one, send)
        return client === undefined ? [] : [[one.id, client]]
      }),
    )
  }

  client(appserviceId: string): AppserviceClient | undefined {
    return this.#clients.get(appserviceId)
  }

  queue(appserviceId: string): AppserviceQueue | undefined {
    return this.#queues.get(appserviceId)
  }

  attach(appserviceId: string, receiver: InProcessReceiver): void {
    if (this.registry.byId.get(appserviceId)?.isInProcess !== true) {
      throw new Error(`${appserviceId} is not registered as an appservice of this process`)
    }
    this.#receivers.attach(appserviceId, receiver)
  }

  async wantsRoom(
    appserviceId: string,
    room: { readonly roomId: RoomId; readonly roomNid: number },
  ): Promise<boolean> {
    const known = this.#known.get(appserviceId)
    return known !== undefined && this.#interest !== undefined && this.#interest.wants(known, room)
  }

  aliasesChanged(roomNid: number): void {
    this.#interest?.aliasesChanged(roomNid)
  }

  forgetUser(userId: string): void {
    this.users.delete(userId)
  }

  async noteClaims(
    keys: readonly ClaimedKey[],
    kind: 'oneTime' | 'fallback',
  ): Promise<{ readonly steps: readonly Step[]; readonly done: () => void }> {
    const steps: Step[] = []
    const told = new Set<AppserviceQueue>()
    const deps = { ...this.#deps, registry: this.registry, users: this.users }
    for (const key of keys) {
      const keeper = await findKeeper(deps, key.userId)
      const known = keeper === undefined ? undefined : this.#known.get(keeper.id)
      if (known === undefined) continue
      steps.push(noteClaimedKey(key, kind, known.nid))
      told.add(this.#queues.get(known.appservice.id)!)
    }
    return { steps, done: () => told.forEach((queue) => queue.keysClaimed()) }
  }

  async start(): Promise<void> {
    const { db } = this.#deps
    if (this.registry.list.length === 0) return
    for (const appservice of this.registry.list) await ensureSender(this.#deps, appservice)
    for (const { id, receivesEncryption, receivesEphemeral } of this.registry.list) {
      if (!receivesEncryption || receivesEphemeral) continue
      this.#deps.logger.warn(
        'an appservice wants org.matrix.msc3202 and no receive_ephemeral: it is sent no messages to devices',
        { appservice: id },
      )
    }
    const known = await prepareKnown(db, this.registry)
    this.#interest = new RoomInterest({ ...this.#deps, registry: this.registry }, known)
    const queues = new Map<KnownAppservice, AppserviceQueue>()
    for (const one of known) {
      const deliver = this.#deliverTo(one.appservice)
      if (deliver === undefined) continue
      const queue = new AppserviceQueue({ ...this.#deps, epoch: this.#deps.log.epoch }, one, deliver)
      queues.set(one, queue)
      this.#known.set(one.appservice.id, one)
      this.#queues.set(one.appservice.id, queue)
    }
    this.#cursor = await startDispatch({
      ...this.#deps,
      users: this.users,
      registry: this.registry,
      interest: this.#interest,
      queues,
      ...(this.#options.onEntry === undefined ? {} : { onEntry: this.#options.onEntry }),
    })
  }

  reached(position: number): Promise<void> {
    return this.#cursor?.reached(position) ?? Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cursor?.[Symbol.asyncDispose]()
    await Promise.all([...this.#queues.values()].map((queue) => queue[Symbol.asyncDispose]()))
    this.#http[Symbol.dispose]()
  }

  #clientOf(appservice: Appservice, send: SendHttp): AppserviceClient | undefined {
    if (appservice.isInProcess) return this.#receivers.clientOf(appservice.id)
    if (appservice.url === undefined) return undefined
    return createAppserviceClient(appservice, appservice.url, { send, clock: this.#deps.clock })
  }

  #deliverTo({ id }: Appservice): Deliver | undefined {
    const client = this.#clients.get(id)
    return client === undefined
      ? undefined
      : (txnId, body, signal) => client.putTransaction(txnId, body, signal)
  }
}

/** The user an appservice acts as by default exists from the first start on. */
async function ensureSender(
  { db, clock, logger }: AppserviceDeps,
  { id, sender }: Appservice,
): Promise<void> {
  const user = await findUser(db, sender)
  if (user !== undefined) {
    if (user.appserviceId !== id) {
      logger.warn('an appservice acts as an account that it did not make', { appservice: id, user: sender })
    }
    return
  }
  const account = { userId: sender, passwordHash: '', isAdmin: false, appserviceId: id, termsAccepted: '' }
  const result = await db.commit({ entries: [], steps: [insertUser({ ...account, createdTs: clock.now() })] })
  if (!result.ok) throw new Error(`The account ${sender} of appservice ${id} could not be made`)
}
