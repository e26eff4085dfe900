import type { Clock } from '../clock/clock.ts'
import type { CommitResult, Row, Write } from './database.ts'
import { BatchEncoder } from './writer/encode-batch.ts'
import type { BatchDone, BatchReply, Writer } from './writer/protocol.ts'

/** A batch is closed at this many writes, or at this many bytes of values, whichever comes first. */
const MAX_BATCH_WRITES = 512
const MAX_BATCH_BYTES = 4 * 1024 * 1024

const NO_ROWS: ReadonlyMap<number, readonly Row[]> = new Map()
const NO_NUMBERS: readonly number[] = []

export interface CommitQueueOptions {
  readonly clock: Clock
  readonly writer: Writer
  /** Called in commit order, in the turn in which the commit became known, before its promise resolves. */
  readonly onCommit?: ((write: Write, result: CommitResult & { ok: true }) => void) | undefined
  /** The database can no longer be written to; called once. */
  readonly onFailure?: ((error: Error) => void) | undefined
}

export interface CommitStats {
  /** Writes that wait for a batch. */
  readonly waiting: number
  /** Of the batch in flight. */
  readonly inFlight: number
  readonly batches: number
  readonly writes: number
  readonly refused: number
}

interface Waiting {
  readonly write: Write
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: Error) => void
}

/**
 * Group commit: one batch is in flight, and everything that arrives meanwhile is the next one. Only a batch's
 * worth is ever encoded or in the writer's hands; what exceeds it waits here, in order of arrival, as the
 * callers' own writes.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions
  readonly #encoder = new BatchEncoder()
  #waiting: Waiting[] = []
  #inFlight: readonly Waiting[] = []
  #scheduled = false
  #closing = false
  #failure: Error | undefined
  #drained: (() => void) | undefined
  #batches = 0
  #writes = 0
  #refused = 0

  constructor(options: CommitQueueOptions) {
    this.#options = options
  }

  commit(write: Write): Promise<CommitResult> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#closing) return Promise.reject(new Error('the database is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      this.#schedule()
    })
  }

  get stats(): CommitStats {
    const { length: waiting } = this.#waiting
    const { length: inFlight } = this.#inFlight
    return { waiting, inFlight, batches: this.#batches, writes: this.#writes, refused: this.#refused }
  }

  /** The database failed for good: everything that waits, and everything later, is rejected. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const lost = [...this.#inFlight, ...this.#waiting]
    this.#inFlight = []
    this.#waiting = []
    for (const { reject } of lost) reject(error)
    this.#drained?.()
    this.#options.onFailure?.(error)
  }

  settleMemory(): void {
    this.#options.writer.settleMemory?.()
  }

  /** Takes nothing more and resolves when everything taken was answered. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#inFlight.length === 0 && this.#waiting.length === 0) return
    await new Promise<void>((resolve) => (this.#drained = resolve))
  }

  /** Waits for the end of this turn of the event loop, so that what arrived in it shares one commit. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0) return
    this.#scheduled = true
    this.#options.clock.defer(() => {
      this.#scheduled = false
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#inFlight.length > 0 || this.#failure !== undefined) return
    const batch = this.#encodeNext()
    if (batch.length === 0) {
      if (this.#waiting.length === 0) this.#drained?.()
      return
    }
    this.#inFlight = batch
    const message = this.#encoder.finish()
    void this.#apply(message, batch)
  }

  async #apply(message: Parameters<Writer['apply']>[0], batch: readonly Waiting[]): Promise<void> {
    let reply: BatchReply
    try {
      reply = await this.#options.writer.apply(message)
    } catch (error) {
      reply = { ok: false, message: error instanceof Error ? error.message : String(error), fatal: true }
    }
    if (this.#failure !== undefined) return
    this.#batches++
    this.#inFlight = []
    if (!reply.ok && reply.fatal) {
      this.#inFlight = batch
      this.fail(new Error(`the database failed and takes no more writes: ${reply.message}`))
      return
    }
    // The writer gets its next batch before the callers get their answers: both work at once.
    this.#sendNext()
    if (reply.ok) this.#answer(batch, reply)
    else for (const { reject } of batch) reject(new Error(`the commit failed: ${reply.message}`))
  }

  /** Moves writes from the queue into the encoder; one that cannot be encoded fails alone. */
  #encodeNext(): Waiting[] {
    const batch: Waiting[] = []
    let taken = 0
    for (const next of this.#waiting) {
      if (batch.length === MAX_BATCH_WRITES || this.#encoder.size >= MAX_BATCH_BYTES) break
      taken++
      try {
        this.#encoder.add(next.write)
        batch.push(next)
      } catch (error) {
        next.reject(error as Error)
      }
    }
    this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken)
    return batch
  }

  #answer(batch: readonly Waiting[], reply: BatchDone): void {
    this.#writes += batch.length
    this.#refused += reply.refused.length
    const refused = new Map(reply.refused.map((refusal) => [refusal.write, refusal]))
    const errors = new Map(reply.errors.map((error) => [error.write, error.message]))
    const rows = groupRows(reply)
    let { position, historical } = reply
    for (let index = 0; index < batch.length; index++) {
      const { write, resolve, reject } = batch[index]!
      const refusal = refused.get(index)
      const error = errors.get(index)
      if (this.#failure !== undefined) reject(this.#failure)
      else if (refusal !== undefined) resolve({ ok: false, step: refusal.step, reason: refusal.reason })
      else if (error !== undefined) reject(new Error(`the write is faulty: ${error}`))
      else {
        const result = accept(write, position, historical, rows?.get(index))
        position += write.entries.length
        historical -= write.historical ?? 0
        this.#announce(write, result)
        if (this.#failure === undefined) resolve(result)
        else reject(this.#failure)
      }
    }
  }

  /** A listener that throws has missed an entry: going on would show readers a log with a hole. */
  #announce(write: Write, result: CommitResult & { ok: true }): void {
    try {
      this.#options.onCommit?.(write, result)
    } catch (error) {
      this.fail(new Error('a listener of the log failed; the write itself is durable', { cause: error }))
    }
  }
}

function accept(
  write: Write,
  position: number,
  historical: number,
  rows: ReadonlyMap<number, readonly Row[]> | undefined,
): CommitResult & { ok: true } {
  const positions = write.entries.map((entry, index) => {
    entry.position = position + 1 + index
    if (entry.kind === 'event') entry.event.nid = entry.position
    return entry.position
  })
  const count = write.historical ?? 0
  const numbers =
    count === 0 ? NO_NUMBERS : Array.from({ length: count }, (_, index) => historical - 1 - index)
  return { ok: true, positions, historical: numbers, rows: rows ?? NO_ROWS }
}

function groupRows(reply: BatchDone): Map<number, Map<number, readonly Row[]>> | undefined {
  if (reply.rows.length === 0) return undefined
  const byWrite = new Map<number, Map<number, readonly Row[]>>()
  for (const { write, step, rows } of reply.rows) {
    const steps = byWrite.get(write) ?? new Map<number, readonly Row[]>()
    steps.set(step, rows)
    byWrite.set(write, steps)
  }
  return byWrite
}
