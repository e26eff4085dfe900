import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  appendPending,
  closeAppserviceTransaction,
  findAppserviceTransaction,
  findLastPending,
  findLastTransaction,
  listPending,
  openAppserviceTransaction,
  takePending,
  type PendingRow,
  type StoredTransaction,
} from '@causeway/store/tables/appservices.ts'
import {
  listClaimedKeys,
  takeClaimedKeys,
  type ClaimedKeysRow,
} from '@causeway/store/tables/appservice-encryption.ts'
import type { KeyCounts } from '../devices/key-counts.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import { createEphemeralBuffer, type EphemeralItem } from './ephemeral-buffer.ts'
import type { KnownAppservice } from './known.ts'
import {
  formatItems,
  isEarly,
  parseItems,
  type PendingItem,
  type PlacedItem,
  type QueueItem,
} from './queue-item.ts'
import { renderItems } from './render-items.ts'
import { formatEphemeral, MAX_ITEMS } from './transaction.ts'

export interface QueueDeps {
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly keyCounts: Pick<KeyCounts, 'of' | 'forget'>
  /** Part of every transaction id: a restored backup must not use an id again for other events. */
  readonly epoch: string
}

/** Brings a transaction to its appservice; resolves when it is acknowledged. */
export type Deliver = (txnId: string, body: string, signal: AbortSignal) => Promise<void>

/** How an appservice is doing, for the operator. */
export interface QueueState {
  readonly state: 'up' | 'down'
  /** Wall clock, milliseconds: when it came into this state. */
  readonly since: number
  /** Failed attempts at the transaction under way. */
  readonly failures: number
  readonly lastError: string | undefined
  /** Wall clock of the next attempt; undefined while it is up. */
  readonly retryTs: number | undefined
}

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 5 * 60_000
/** Between attempts that are made since the appservice was heard from. */
const HEARD_MS = 2_000
/** Rows of pending items looked at for one transaction. */
const ROWS = 20

/**
 * What one appservice is still to be sent: durable, in order, one transaction at a time. The dispatcher puts
 * events in by steps of its own write; a transaction is stored as it stands before its first byte leaves, and
 * stays until it is acknowledged.
 */
export class AppserviceQueue implements AsyncDisposable {
  readonly #deps: QueueDeps
  readonly #known: KnownAppservice
  readonly #nid: number
  readonly #id: string
  readonly #deliver: Deliver
  readonly #stop = new AbortController()
  readonly #ephemeral
  readonly #usesMsc2409: boolean
  readonly #boot: string
  #volatileTxns = 0
  /** Nothing is stored for it, so that the next events may become a transaction at once. */
  #isIdle = false
  /** Log position of the last put that is not known to be committed; 0: none. */
  #outstanding = 0
  #lastTxn = 0
  /** Row of pending items that the next ones are added to. */
  #tail: { readonly seq: number; count: number } | undefined
  #state: QueueState
  /** Monotonic: when it was last sent something. */
  #attemptedAt = -Infinity
  #wake: () => void = () => undefined
  #skipPause: () => void = () => undefined
  readonly #ended: Promise<void>

  constructor(deps: QueueDeps, known: KnownAppservice, deliver: Deliver) {
    const { nid, appservice } = known
    this.#deps = deps
    this.#known = known
    this.#nid = nid
    this.#id = appservice.id
    this.#usesMsc2409 = appservice.usesMsc2409
    this.#deliver = deliver
    this.#ephemeral = createEphemeralBuffer()
    this.#boot = deps.random.token(8)
    this.#state = {
      state: 'up',
      since: deps.clock.now(),
      failures: 0,
      lastError: undefined,
      retryTs: undefined,
    }
    this.#ended = this.#run()
  }

  state(): QueueState {
    return this.#state
  }

  /** The appservice can be reached: what waits for the next attempt goes now. */
  retryNow(): void {
    this.#skipPause()
  }

  /** The appservice asked for something: it runs, and is likely to listen. Costs one attempt in two seconds at most. */
  heardFrom(): void {
    const { clock } = this.#deps
    if (this.#state.state === 'down' && clock.monotonic() - this.#attemptedAt >= HEARD_MS) this.#skipPause()
  }

  /** Reads again what is stored: what was put since was not committed. */
  async reload(): Promise<void> {
    this.#isIdle = false
    this.#tail = undefined
    this.#outstanding = 0
    this.#lastTxn = await findLastTransaction(this.#deps.db, this.#nid)
    const seq = await findLastPending(this.#deps.db, this.#nid)
    if (seq !== undefined) this.#tail = { seq, count: MAX_ITEMS }
  }

  /**
   * The steps that put items in, to be committed with the log position `through` of the dispatcher, which then
   * calls `confirm`. One put at a time; after one that came to nothing, `reload`.
   */
  async put(items: readonly PlacedItem[], through: number): Promise<Step[]> {
    const steps: Step[] = []
    this.#outstanding = through
    let rest = items
    const mayOpen = this.#isIdle && !items.some(({ item }) => isEarly(item))
    this.#isIdle = false
    if (mayOpen) {
      rest = items.slice(MAX_ITEMS)
      const first = items.slice(0, MAX_ITEMS).map(({ item }) => item)
      const rendered = await renderItems(this.#deps, this.#known, first)
      if (rendered !== undefined) {
        const { body, to_device } = rendered
        steps.push(...openAppserviceTransaction(this.#nid, { txn: ++this.#lastTxn, body, to_device }))
      }
    }
    while (rest.length > 0) {
      if (this.#tail === undefined || this.#tail.count >= MAX_ITEMS) {
        this.#tail = { seq: rest[0]!.position, count: 0 }
      }
      const taken = rest.slice(0, MAX_ITEMS - this.#tail.count)
      this.#tail.count += taken.length
      const text = formatItems(taken.map(({ item }) => item))
      steps.push(appendPending(this.#nid, this.#tail.seq, text))
      rest = rest.slice(taken.length)
    }
    return steps
  }

  /** Everything that was put up to this log position is durable. */
  confirm(through: number): void {
    if (through < this.#outstanding) return
    this.#outstanding = 0
    this.#wake()
  }

  /** Keys of its devices were handed out, which is durable: it is told with what is sent next, or by itself. */
  keysClaimed(): void {
    // What is put from now on goes behind the transaction that tells of it.
    this.#isIdle = false
    this.#wake()
  }

  /** Ephemeral data: sent once when nothing else waits, dropped while the appservice is down. */
  putEphemeral(item: EphemeralItem): void {
    if (this.#state.state === 'down') return
    this.#ephemeral.put(item)
    this.#wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    this.#wake()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let isLoaded = false
    while (!signal.aborted) {
      // Armed before anything is read: a wake-up in between is not missed.
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      try {
        if (!isLoaded) this.#lastTxn = await findLastTransaction(this.#deps.db, this.#nid)
        isLoaded = true
        if (!(await this.#advance())) await woken.promise
      } catch (error) {
        if (signal.aborted) return
        this.#deps.logger.error('the queue of an appservice cannot be read', { appservice: this.#id, error })
        await this.#pause(LONGEST_PAUSE_MS / 10)
      }
    }
  }

  /** Sends what is next; false when there is nothing. */
  async #advance(): Promise<boolean> {
    // Whatever is put while this looks goes into the tables, behind what it finds there.
    this.#isIdle = false
    const isSettled = this.#outstanding === 0
    const stored = await findAppserviceTransaction(this.#deps.db, this.#nid)
    const next = stored ?? (await this.#fix(isSettled))
    if (next !== undefined) {
      if (next === 'again') return true
      await this.#send(next)
      return true
    }
    if (this.#ephemeral.size() > 0) {
      await this.#sendEphemeral()
      return true
    }
    // Only if nothing was on its way into the tables before they were read, nor since.
    if (isSettled && this.#outstanding === 0) this.#isIdle = true
    return false
  }

  /**
   * Makes the oldest pending items a transaction, with the keys that were handed out; where nothing is pending, those alone
   * (unless a put that is not confirmed may be a transaction). `again`: they changed meanwhile, or nothing is left of them.
   */
  async #fix(isSettled: boolean): Promise<StoredTransaction | 'again' | undefined> {
    const { db } = this.#deps
    const [found, claimed] = await Promise.all([listPending(db, this.#nid, ROWS), this.#listClaimed()])
    if (found.length === 0 && (claimed.length === 0 || !isSettled)) return undefined
    const { rows, pending } = takeRows(found)
    const items = await this.#readItems(pending)
    const rendered = await renderItems(this.#deps, this.#known, items, claimed)
    const taken = rows.map((row) => takePending(this.#nid, row))
    const next = rendered === undefined ? undefined : { txn: this.#lastTxn + 1, ...rendered }
    const opened = next === undefined ? [] : openAppserviceTransaction(this.#nid, next)
    const told = claimed.map(takeClaimedKeys)
    const result = await db.commit({ entries: [], steps: [...taken, ...told, ...opened] })
    if (!result.ok) {
      // Perhaps the number was taken: `reload` may have read it before a transaction that came in between.
      this.#lastTxn = await findLastTransaction(db, this.#nid)
      return 'again'
    }
    if (next === undefined) return 'again'
    this.#lastTxn = next.txn
    return next
  }

  async #listClaimed(): Promise<ClaimedKeysRow[]> {
    return this.#known.appservice.receivesEncryption
      ? listClaimedKeys(this.#deps.db, this.#nid, MAX_ITEMS)
      : []
  }

  /** Events that are gone are left out. */
  async #readItems(pending: readonly PendingItem[]): Promise<QueueItem[]> {
    const nids = pending.filter((item) => typeof item === 'number')
    const events = await findEventsByNid(this.#deps.rooms, nids)
    return pending
      .map((item) => (typeof item === 'number' ? events.get(item) : item))
      .filter((item) => item !== undefined)
  }

  /** Sends a stored transaction until it is acknowledged, however long that takes. */
  async #send({ txn, body, to_device }: StoredTransaction): Promise<void> {
    const { signal } = this.#stop
    while (!(await this.#attempt(`${this.#deps.epoch}.${txn}`, body))) {
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#state.failures - 1), LONGEST_PAUSE_MS)
      await this.#pause(pause * (0.5 + this.#deps.random.fraction() / 2))
      if (signal.aborted) throw signal.reason
    }
    const result = await this.#deps.db.commit({
      entries: [],
      steps: closeAppserviceTransaction(this.#nid, { txn, to_device }),
    })
    if (!result.ok)
      throw new Error(`transaction ${txn} of appservice ${this.#id} was closed by somebody else`)
  }

  async #sendEphemeral(): Promise<void> {
    const items = this.#ephemeral.take(MAX_ITEMS)
    const txnId = `${this.#boot}.v${++this.#volatileTxns}`
    await this.#attempt(txnId, formatEphemeral(items, this.#usesMsc2409))
  }

  async #attempt(txnId: string, body: string): Promise<boolean> {
    const { clock, logger } = this.#deps
    this.#attemptedAt = clock.monotonic()
    try {
      await this.#deliver(txnId, body, this.#stop.signal)
    } catch (error) {
      if (this.#stop.signal.aborted) throw error
      const { state, failures, since } = this.#state
      if (state === 'up') {
        logger.warn('an appservice cannot be reached; what it shall have is kept', {
          appservice: this.#id,
          error,
        })
      }
      this.#state = {
        state: 'down',
        since: state === 'down' ? since : clock.now(),
        failures: failures + 1,
        lastError: error instanceof Error ? error.message : String(error),
        retryTs: undefined,
      }
      this.#ephemeral.clear()
      return false
    }
    if (this.#state.state === 'down') {
      logger.info('an appservice is reachable again', { appservice: this.#id })
      this.#state = { state: 'up', since: clock.now(), failures: 0, lastError: undefined, retryTs: undefined }
    }
    return true
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#deps
    const skip = new AbortController()
    this.#skipPause = () => skip.abort()
    this.#state = { ...this.#state, retryTs: clock.now() + ms }
    await clock.sleep(ms, AbortSignal.any([this.#stop.signal, skip.signal])).catch(() => undefined)
    this.#skipPause = () => undefined
  }
}

/** The oldest rows that fit into a transaction, the first in any case, and what they hold. */
function takeRows(found: readonly PendingRow[]): { rows: PendingRow[]; pending: PendingItem[] } {
  const rows: PendingRow[] = []
  const pending: PendingItem[] = []
  for (const row of found) {
    const items = parseItems(row.items)
    // Rows behind one that does not fit stay as well: order.
    if (rows.length > 0 && pending.length + items.length > MAX_ITEMS) break
    rows.push(row)
    pending.push(...items)
  }
  return { rows, pending }
}
