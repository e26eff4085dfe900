import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { BatchMessage, BatchReply, LogNumbers, Writer } from './protocol.ts'

/** What a writer thread sends: once when it is open (or could not open), then one reply per batch. */
export type FromWriter =
  | { readonly opened: true }
  | { readonly openFailed: string }
  | { readonly reply: BatchReply }
export type ToWriter =
  | { readonly batch: BatchMessage }
  | { readonly close: true }
  | { readonly settleMemory: true }
  | { readonly takeOver: LogNumbers | undefined }

interface Pending {
  readonly resolve: (reply: BatchReply) => void
  readonly reject: (error: Error) => void
}

/** A writer in a worker thread. If the thread dies, the batch it had is rejected and so is every later one. */
export class WriterThread implements Writer {
  readonly #worker: Worker
  #pending: Pending | undefined
  #died: Error | undefined

  private constructor(worker: Worker, onDeath: (error: Error) => void) {
    this.#worker = worker
    worker.on('message', (message: FromWriter) => {
      if (!('reply' in message)) return
      const pending = this.#pending
      this.#pending = undefined
      pending?.resolve(message.reply)
    })
    const die = (error: Error): void => {
      if (this.#died !== undefined) return
      this.#died = error
      this.#pending?.reject(error)
      onDeath(error)
    }
    worker.on('error', (error) =>
      die(new Error(`the writer thread failed: ${String(error)}`, { cause: error })),
    )
    worker.on('exit', (code) => die(new Error(`the writer thread ended (code ${code})`)))
  }

  /**
   * Starts the thread and waits until it has the database open.
   * @throws Error with the thread's own sentence when it cannot open it
   */
  static async start(
    entry: URL,
    workerData: object,
    name: string,
    onDeath: (error: Error) => void,
  ): Promise<WriterThread> {
    const worker = new Worker(entry, { workerData, name })
    const [first] = (await once(worker, 'message')) as [FromWriter]
    if ('openFailed' in first) throw new Error(first.openFailed)
    return new WriterThread(worker, onDeath)
  }

  /** The thread, for tests that kill it. */
  get worker(): Worker {
    return this.#worker
  }

  apply(batch: BatchMessage): Promise<BatchReply> {
    if (this.#died !== undefined) return Promise.reject(this.#died)
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#worker.postMessage({ batch } satisfies ToWriter, [batch.bytes.buffer as ArrayBuffer])
    })
  }

  takeOver(log: LogNumbers | undefined): void {
    this.#worker.postMessage({ takeOver: log } satisfies ToWriter)
  }

  settleMemory(): void {
    this.#worker.postMessage({ settleMemory: true } satisfies ToWriter)
  }

  async close(): Promise<void> {
    if (this.#died !== undefined) return
    this.#died = new Error('the writer is closed')
    const ended = once(this.#worker, 'exit')
    this.#worker.postMessage({ close: true } satisfies ToWriter)
    await ended
  }
}
