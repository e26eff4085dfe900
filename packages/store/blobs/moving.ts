import { createKeyedQueue } from '../cache/keyed-queue.ts'
import { BlobTooLarge } from './blob-store.ts'
import type {
  BlobInfo,
  BlobSource,
  BlobStore,
  ByteRange,
  MoveOutcome,
  OldBlobs,
  OpenBlob,
  StoredBlob,
} from './blob-store.ts'

class MovingBlobs implements BlobStore {
  readonly moving: OldBlobs
  readonly #to: BlobStore
  readonly #from: BlobStore
  /** Moves and deletions of one blob, one after another: what is deleted does not come back by a move. */
  readonly #queue = createKeyedQueue<string>()

  constructor(to: BlobStore, from: BlobStore) {
    this.#to = to
    this.#from = from
    this.moving = {
      list: () => from.list(),
      move: (hash) => this.#queue.serial(hash, () => this.#move(hash)),
    }
  }

  put(source: BlobSource, options: { readonly maxBytes: number }): Promise<BlobInfo> {
    return this.#to.put(source, options)
  }

  open(hash: string, range?: ByteRange): Promise<OpenBlob | undefined> {
    return this.#find((store) => store.open(hash, range))
  }

  stat(hash: string): Promise<StoredBlob | undefined> {
    return this.#find((store) => store.stat(hash))
  }

  delete(hash: string): Promise<boolean> {
    return this.#queue.serial(hash, async () => {
      const old = await this.#from.delete(hash)
      return (await this.#to.delete(hash)) || old
    })
  }

  /** One that is moved meanwhile may come twice, but is not left out. */
  async *list(): AsyncGenerator<StoredBlob> {
    yield* this.#from.list()
    for await (const blob of this.#to.list()) {
      if ((await this.#from.stat(blob.hash)) === undefined) yield blob
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.idle()
    await this.#to[Symbol.asyncDispose]()
    await this.#from[Symbol.asyncDispose]()
  }

  /** The third look is for what was moved between the first and the second. */
  async #find<T>(look: (store: BlobStore) => Promise<T | undefined>): Promise<T | undefined> {
    return (await look(this.#to)) ?? (await look(this.#from)) ?? (await look(this.#to))
  }

  async #move(hash: string): Promise<MoveOutcome> {
    if ((await this.#to.stat(hash)) === undefined) {
      const opened = await this.#from.open(hash)
      if (opened === undefined) return 'gone'
      const moved = await this.#copy(opened)
      if (moved?.hash !== hash) return 'damaged'
    }
    await this.#from.delete(hash)
    return 'moved'
  }

  /** What is damaged arrives under another name, which nothing refers to. */
  async #copy({ size, stream }: OpenBlob): Promise<BlobInfo | undefined> {
    try {
      return await this.#to.put(stream, { maxBytes: size })
    } catch (error) {
      if (error instanceof BlobTooLarge) return undefined
      throw error
    } finally {
      stream.destroy()
    }
  }
}

/**
 * Two stores as one, while blobs are moved from one to the other: what is new goes to `to`, what is not there yet is
 * read where it was. Disposes of both.
 */
export function createMovingBlobs(to: BlobStore, from: BlobStore): BlobStore {
  return new MovingBlobs(to, from)
}
