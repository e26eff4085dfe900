import type { Clock } from '../../clock/clock.ts'
import { KnownDefs } from './decode-batch.ts'
import { messageOf } from './outcome.ts'
import type { PostgresWriter } from './postgres-writer.ts'
import type { BatchMessage, BatchReply, Writer } from './protocol.ts'
import type { WriterThread } from './writer-thread.ts'

/** When a thread could not be started, after how long it is tried again. */
const RETRY_MS = 60_000

/** What is a reason for a thread. */
export interface Busy {
  readonly writes: number
  readonly withinMs: number
}

export interface GrowingWriterDeps {
  readonly busy: Busy
  readonly clock: Pick<Clock, 'monotonic'>
  /** Starts the thread; it succeeds the writer that is there, and takes the database over when told to. */
  readonly startThread: (onDeath: (error: Error) => void) => Promise<WriterThread>
  /** The thread died that wrote to the database. */
  readonly onDeath: (error: Error) => void
  readonly log: { warn(message: string): void } | undefined
}

/**
 * The writer of a PostgreSQL database, which mostly waits for the server: it runs on the calling thread while there is little to
 * write, and once there has been much for some time in a thread of its own, which costs 10 MB, takes a quarter of a second of
 * CPU to start, and a sixth more per write. No write waits while that starts.
 */
export class GrowingWriter implements Writer {
  readonly #deps: GrowingWriterDeps
  readonly #defs = new KnownDefs()
  /** On this thread, until it has been succeeded. */
  #own: PostgresWriter | undefined
  #thread: WriterThread | undefined
  #starting: Promise<void> | undefined
  #ending: Promise<void> | undefined
  #notBefore = -Infinity
  #since = 0
  #writes = 0

  constructor(own: PostgresWriter, deps: GrowingWriterDeps) {
    this.#own = own
    this.#deps = deps
    this.#since = deps.clock.monotonic()
  }

  /** Whether it writes in a thread of its own by now. */
  get hasThread(): boolean {
    return this.#own === undefined
  }

  async apply(message: BatchMessage): Promise<BatchReply> {
    if (this.#own === undefined) return this.#thread!.apply(message)
    this.#defs.learn(message)
    if (this.#thread !== undefined) return this.#succeed(this.#own, this.#thread, message)
    this.#count(message.writes)
    return this.#own.apply(message)
  }

  /** Hands the database to the thread, which knows none of the definitions yet. */
  async #succeed(own: PostgresWriter, thread: WriterThread, message: BatchMessage): Promise<BatchReply> {
    let log
    try {
      log = await own.handOver()
    } catch {
      // Its connection is lost: it opens another, and holds the database anew, before anybody can succeed it.
      return own.apply(message)
    }
    this.#own = undefined
    thread.takeOver(log)
    try {
      return await thread.apply({ ...message, reset: true, defs: [...this.#defs.list] })
    } finally {
      this.#defs.list.length = 0
      // Whatever came of it: the thread holds the database, or has to take it as anybody else would.
      this.#ending = own.close()
    }
  }

  #count(writes: number): void {
    const now = this.#deps.clock.monotonic()
    const { busy } = this.#deps
    if (now - this.#since > busy.withinMs) {
      this.#since = now
      this.#writes = 0
    }
    this.#writes += writes
    if (this.#writes < busy.writes || this.#starting !== undefined || now < this.#notBefore) return
    this.#starting = this.#start().finally(() => (this.#starting = undefined))
  }

  async #start(): Promise<void> {
    try {
      this.#thread = await this.#deps.startThread((error) => this.#mourn(error))
    } catch (error) {
      this.#notBefore = this.#deps.clock.monotonic() + RETRY_MS
      this.#deps.log?.warn(
        `A thread for writing to PostgreSQL could not be started, and writing goes on without one: ${messageOf(error)}. ` +
          'It is tried again in a minute at the earliest; does the server allow enough connections?',
      )
    }
  }

  #mourn(error: Error): void {
    if (this.#own === undefined) this.#deps.onDeath(error)
    else this.#thread = undefined
  }

  settleMemory(): void {
    this.#thread?.settleMemory()
  }

  async close(): Promise<void> {
    await this.#starting
    await Promise.all([this.#own?.close(), this.#thread?.close(), this.#ending])
  }
}
