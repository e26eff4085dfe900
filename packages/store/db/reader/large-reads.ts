import { once } from 'node:events'
import { sqliteReaderFile } from '../program-files.ts'
import { Worker } from 'node:worker_threads'
import type { ReadParam, Row } from '../database.ts'

export type LargeReadMessage =
  | { readonly id: number; readonly sql: string; readonly params: readonly ReadParam[] }
  /** The next chunk of an earlier read. */
  | { readonly id: number; readonly sql?: undefined }
  | { readonly close: true }

export interface LargeReadReply {
  readonly id: number
  readonly rows: Row[]
  readonly done: boolean
  readonly error?: string
}

interface PendingRead {
  readonly rows: Row[]
  readonly resolve: (rows: Row[]) => void
  readonly reject: (error: Error) => void
}

/** Reads of any size on a thread of their own, which starts with the first one. */
export class LargeReads implements AsyncDisposable {
  readonly #path: string
  readonly #pending = new Map<number, PendingRead>()
  #worker: Worker | undefined
  #nextId = 1

  constructor(path: string) {
    this.#path = path
  }

  query(sql: string, params: readonly ReadParam[]): Promise<Row[]> {
    const worker = (this.#worker ??= this.#start())
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { rows: [], resolve, reject })
      worker.postMessage({ id, sql, params } satisfies LargeReadMessage)
    })
  }

  #start(): Worker {
    const worker = new Worker(sqliteReaderFile, { workerData: { path: this.#path }, name: 'store-reader' })
    worker.on('message', (reply: LargeReadReply) => this.#onReply(worker, reply))
    worker.on('error', (error) => this.#onEnd(worker, `the reader thread failed: ${String(error)}`))
    worker.on('exit', () => this.#onEnd(worker, 'the reader thread ended'))
    return worker
  }

  #onReply(worker: Worker, reply: LargeReadReply): void {
    const read = this.#pending.get(reply.id)
    if (read === undefined) return
    for (const row of reply.rows) read.rows.push(row)
    if (!reply.done) {
      worker.postMessage({ id: reply.id } satisfies LargeReadMessage)
      return
    }
    this.#pending.delete(reply.id)
    if (reply.error === undefined) read.resolve(read.rows)
    else read.reject(new Error(reply.error))
  }

  /** Fails what was asked of a thread that is gone; the next read starts a new one. */
  #onEnd(worker: Worker, message: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const read of this.#pending.values()) read.reject(new Error(message))
    this.#pending.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const ended = once(worker, 'exit')
    worker.postMessage({ close: true } satisfies LargeReadMessage)
    await ended
  }
}
