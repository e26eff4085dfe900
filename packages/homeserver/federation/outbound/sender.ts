import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { closeOutboundTransaction } from '@causeway/store/tables/outbound-transactions.ts'
import { RawJson } from '../../http/endpoint.ts'
import type { Logger } from '../../ops/log.ts'
import { FederationError, type FederationClient } from '../federation-client.ts'
import type { OutboundFigures } from './figures.ts'
import { nextTransaction, type NextDeps, type NextTransaction } from './next-transaction.ts'
import { renderTransaction } from './render-transaction.ts'

export interface SenderDeps extends NextDeps {
  readonly serverName: ServerName
  readonly client: FederationClient
  readonly logger: Logger
  readonly figures: OutboundFigures
}

/** How a server that something is sent to is doing. */
export interface ServerState {
  readonly server: ServerName
  readonly phase: 'waiting' | 'sending' | 'asleep'
  /** Failed attempts since the last that succeeded. */
  readonly failures: number
  /** Wall clock: since when there has been something to be sent. */
  readonly since: number
  /** Wall clock of the next attempt, while asleep. */
  readonly retryTs: number | undefined
  readonly lastError: string | undefined
}

/** Sends transactions: one at a time to each server, to many servers at once. */
export interface Sender extends AsyncDisposable {
  /** There may be something to be sent to a server. */
  wake(server: ServerName): void
  /** The server gave a sign of life: what waits for the next attempt goes now. */
  heardFrom(server: ServerName): void
  /** Whether volatile data has a chance. */
  isReachable(server: ServerName): boolean
  states(): ServerState[]
  /** All servers that something is stored for were woken. */
  wokeAll(): void
  /** Servers were left out for want of room since this was last asked. */
  overflowed(): boolean
  /** Resolves when nothing is being sent to a server, nor about to be: it has everything, or cannot be reached now. */
  settled(server: ServerName): Promise<void>
  /** Resolves when nothing is being sent, nor about to be. */
  idle(): Promise<void>
}

/** Servers that are sent something at the same time. */
const MAX_AT_ONCE = 100
/** Servers remembered that have something to be sent; the others are found by the table. */
const MAX_SERVERS = 20_000
const TIMEOUT_MS = 60_000
const FIRST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 3_600_000
/** Attempts after which a transaction that the server calls wrong is given up, so that others get their turn. */
const ATTEMPTS_AT_REFUSED = 8

interface State {
  phase: ServerState['phase']
  /** Woken while it was sent something. */
  again: boolean
  failures: number
  /** It may have a transaction that is stored and not answered. */
  mayHaveTransaction: boolean
  /** It could not be reached since something has waited for it. */
  wasAway: boolean
  /** Times in a row that the transaction under way was called wrong. */
  refusals: number
  readonly since: number
  retryTs: number | undefined
  timer: Timer | undefined
  lastError: string | undefined
}

export function createSender(deps: SenderDeps): Sender {
  return new ServerSender(deps)
}

class ServerSender implements Sender {
  readonly #deps: SenderDeps
  readonly #states = new Map<ServerName, State>()
  readonly #ready = new Set<ServerName>()
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #overflowed = false
  /** Every server with a stored transaction is in memory. */
  #knowsAll = false
  #idleWaiters: (() => void)[] = []
  /** By server, while something is being sent to it. */
  readonly #settleWaiters = new Map<ServerName, (() => void)[]>()

  constructor(deps: SenderDeps) {
    this.#deps = deps
  }

  wake(server: ServerName): void {
    if (this.#stop.signal.aborted) return
    const state = this.#states.get(server)
    if (state !== undefined) {
      state.again = true
      return
    }
    if (this.#states.size >= MAX_SERVERS) {
      this.#overflowed = true
      this.#knowsAll = false
      return
    }
    this.#states.set(server, {
      phase: 'waiting',
      again: false,
      failures: 0,
      mayHaveTransaction: !this.#knowsAll,
      wasAway: false,
      refusals: 0,
      since: this.#deps.clock.now(),
      retryTs: undefined,
      timer: undefined,
      lastError: undefined,
    })
    this.#ready.add(server)
    this.#pump()
  }

  heardFrom(server: ServerName): void {
    const state = this.#states.get(server)
    if (state?.phase === 'asleep') this.#rouse(server, state)
  }

  isReachable(server: ServerName): boolean {
    return (this.#states.get(server)?.failures ?? 0) === 0
  }

  states(): ServerState[] {
    return [...this.#states].map(([server, { phase, failures, since, retryTs, lastError }]) => ({
      server,
      phase,
      failures,
      since,
      retryTs,
      lastError,
    }))
  }

  wokeAll(): void {
    this.#knowsAll = !this.#overflowed
  }

  overflowed(): boolean {
    const overflowed = this.#overflowed
    this.#overflowed = false
    return overflowed
  }

  settled(server: ServerName): Promise<void> {
    const phase = this.#states.get(server)?.phase
    if (phase === undefined || phase === 'asleep' || this.#stop.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const waiters = this.#settleWaiters.get(server)
      if (waiters === undefined) this.#settleWaiters.set(server, [resolve])
      else waiters.push(resolve)
    })
  }

  idle(): Promise<void> {
    if (this.#running.size === 0 && this.#ready.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    this.#ready.clear()
    for (const state of this.#states.values()) state.timer?.cancel()
    await Promise.all(this.#running)
    for (const server of this.#settleWaiters.keys()) this.#settle(server)
  }

  #settle(server: ServerName): void {
    const waiters = this.#settleWaiters.get(server)
    this.#settleWaiters.delete(server)
    for (const resolve of waiters ?? []) resolve()
  }

  #pump(): void {
    for (const server of this.#ready) {
      if (this.#running.size >= MAX_AT_ONCE || this.#stop.signal.aborted) return
      this.#ready.delete(server)
      const run = this.#run(server, this.#states.get(server)!).finally(() => {
        this.#running.delete(run)
        this.#settle(server)
        this.#pump()
        if (this.#running.size > 0 || this.#ready.size > 0) return
        for (const resolve of this.#idleWaiters.splice(0)) resolve()
      })
      this.#running.add(run)
    }
  }

  /** Sends until there is nothing left, or an attempt fails. Never rejects. */
  async #run(server: ServerName, state: State): Promise<void> {
    state.phase = 'sending'
    try {
      for (;;) {
        state.again = false
        const next = await nextTransaction(this.#deps, server, state)
        if (this.#stop.signal.aborted) return
        if (next !== undefined) await this.#send(server, state, next)
        // Whatever comes after it was made, wakes.
        const isLast = next === undefined || (next.isLast && !this.#deps.volatile.has(server))
        if (isLast && !state.again) break
      }
      this.#states.delete(server)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#failed(server, state, error)
    }
  }

  async #send(server: ServerName, state: State, { row, isStored }: NextTransaction): Promise<void> {
    state.mayHaveTransaction ||= isStored
    const { db, client, figures, serverName } = this.#deps
    const { body, pdus } = await renderTransaction(db, serverName, row)
    const edus = (JSON.parse(row.edus) as unknown[]).length
    if (pdus + edus > 0) {
      const answer = await client
        .request(server, {
          method: 'PUT',
          path: `/_matrix/federation/v1/send/${encodeURIComponent(row.txn_id)}`,
          body: new RawJson(body),
          timeoutMs: TIMEOUT_MS,
          signal: this.#stop.signal,
        })
        .catch((error: unknown) => this.#refused(server, state, error))
      figures.sent(pdus, edus)
      if (answer !== undefined) this.#readAnswer(server, answer)
    }
    if (state.failures > 0)
      this.#deps.logger.info('another server is reachable again', { destination: server })
    state.failures = 0
    state.refusals = 0
    state.lastError = undefined
    if (isStored) await close(db, server, row)
    state.mayHaveTransaction = !isStored && state.mayHaveTransaction
  }

  /** What a server calls wrong again and again is given up; everything else is tried again. */
  #refused(server: ServerName, state: State, error: unknown): undefined {
    const failure = error instanceof FederationError ? error.failure : undefined
    const isWrong = failure?.kind === 'refused' && (failure.status === 400 || failure.status === 413)
    if (isWrong) state.refusals++
    if (!isWrong || state.refusals < ATTEMPTS_AT_REFUSED) throw error
    this.#deps.figures.outcome('given_up')
    this.#deps.logger.error('another server calls a transaction wrong; it is given up', {
      destination: server,
      error,
    })
    return undefined
  }

  #readAnswer(server: ServerName, answer: JsonObject): void {
    this.#deps.figures.outcome('ok')
    const pdus = isJsonObject(answer['pdus']) ? answer['pdus'] : {}
    const refused = Object.entries(pdus).filter(([, one]) => isJsonObject(one) && one['error'] !== undefined)
    if (refused.length === 0) return
    this.#deps.figures.refused(refused.length)
    const [eventId, first] = refused[0]!
    this.#deps.logger.info('another server refused events', {
      destination: server,
      count: refused.length,
      eventId,
      reason: JSON.stringify((first as JsonObject)['error']).slice(0, 500),
    })
  }

  #failed(server: ServerName, state: State, error: unknown): void {
    const { clock, random, logger, figures, volatile } = this.#deps
    const failure = error instanceof FederationError ? error.failure : undefined
    figures.outcome(failure?.kind ?? 'fault')
    if (failure === undefined)
      logger.error('a transaction could not be made or sent', { destination: server, error })
    else if (state.failures === 0) {
      logger.info('another server cannot be reached; what it shall have is kept', {
        destination: server,
        error,
      })
    }
    volatile.drop(server)
    state.failures++
    state.wasAway = true
    // A commit that failed may have taken place all the same.
    state.mayHaveTransaction = true
    state.lastError = error instanceof Error ? error.message : String(error)
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(state.failures - 1, 20), LONGEST_PAUSE_MS)
    // The client knows how long to leave a server alone; a little more keeps them from being asked all at once.
    const until = failure?.kind === 'backing-off' ? failure.retryAt : clock.now()
    const base = failure?.kind === 'backing-off' ? Math.max(0, until - clock.now()) : longest / 2
    const spread = failure?.kind === 'backing-off' ? FIRST_PAUSE_MS : longest / 2
    const pause = base + spread * random.fraction()
    state.phase = 'asleep'
    state.retryTs = clock.now() + pause
    state.timer = clock.setTimeout(() => this.#rouse(server, state), pause, { unref: true })
  }

  #rouse(server: ServerName, state: State): void {
    if (state.phase !== 'asleep' || this.#stop.signal.aborted) return
    state.timer?.cancel()
    state.phase = 'waiting'
    state.retryTs = undefined
    this.#ready.add(server)
    this.#pump()
  }
}

async function close(db: Database, server: ServerName, row: NextTransaction['row']): Promise<void> {
  const result = await db.commit({ entries: [], steps: closeOutboundTransaction(server, row) })
  if (!result.ok) throw new Error(`the transaction ${row.txn_id} to ${server} was closed by somebody else`)
}
