import { createHash } from 'node:crypto'
import { open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { createKeyedQueue } from '../cache/keyed-queue.ts'
import { createSlots } from '../cache/slots.ts'
import type { Random } from '../clock/clock.ts'
import { BlobTooLarge, checkBlobHash, checkByteRange, isBlobHash } from './blob-store.ts'
import type { BlobInfo, BlobSource, BlobStore, ByteRange, OpenBlob, StoredBlob } from './blob-store.ts'
import { openS3Bucket, type S3Bucket, type S3ObjectInfo, type S3Options } from './s3-bucket.ts'
import { emptySpool, writeSpool } from './spool.ts'

/** Services take parts from 5 MiB on; this is also what is held in memory of an upload. */
const PART_BYTES = 8 * 1024 * 1024
/** Services take 10,000 parts of an object. */
const MAX_PARTS = 9_000
/** Uploads to the service at the same time: together with the parts, a bound on memory. */
const MAX_UPLOADS = 4

export interface S3BlobsOptions extends S3Options {
  /** A folder for what is on its way: its hash, by which it is named, is not known before its end. */
  readonly spool: string
  /** Bytes of a part; what is no larger goes in one piece. Default 8 MiB. */
  readonly partBytes?: number
}

function toStored({ name, size, modifiedTs }: S3ObjectInfo): StoredBlob {
  return { hash: name, size, storedTs: modifiedTs }
}

class S3Blobs implements BlobStore {
  readonly #bucket: S3Bucket
  readonly #spool: string
  readonly #partBytes: number
  readonly #random: Random
  /** Uploads and deletions of one blob, one after another: what a put was answered for is there. */
  readonly #queue = createKeyedQueue<string>()
  readonly #uploads = createSlots(MAX_UPLOADS, Number.POSITIVE_INFINITY)

  constructor(bucket: S3Bucket, { spool, partBytes = PART_BYTES }: S3BlobsOptions, random: Random) {
    this.#bucket = bucket
    this.#spool = spool
    this.#partBytes = partBytes
    this.#random = random
  }

  async put(source: BlobSource, { maxBytes }: { readonly maxBytes: number }): Promise<BlobInfo> {
    if (source instanceof Uint8Array && source.length <= this.#partBytes)
      return this.#putSmall(source, maxBytes)
    const file = path.join(this.#spool, this.#random.token(24))
    try {
      const info = await writeSpool(file, source, { maxBytes, durable: false })
      // Also over an equal blob: that renews its age, and leaves no moment at which a deletion could have taken it.
      await this.#queue.serial(info.hash, () => this.#uploads.run(() => this.#upload(file, info)))
      return info
    } finally {
      await rm(file, { force: true })
    }
  }

  async open(hash: string, range?: ByteRange): Promise<OpenBlob | undefined> {
    checkBlobHash(hash)
    if (range !== undefined) checkByteRange(range, Number.MAX_SAFE_INTEGER)
    if (range === undefined || range.start < range.end) return this.#openSome(hash, range)
    const found = await this.#bucket.head(hash)
    if (found === undefined) return undefined
    checkByteRange(range, found.size)
    return { size: found.size, stream: Readable.from([]) }
  }

  async stat(hash: string): Promise<StoredBlob | undefined> {
    const found = await this.#bucket.head(checkBlobHash(hash))
    return found && toStored(found)
  }

  async delete(hash: string): Promise<boolean> {
    checkBlobHash(hash)
    return this.#queue.serial(hash, async () => {
      // The service says the same whether there was one or not.
      if ((await this.#bucket.head(hash)) === undefined) return false
      await this.#bucket.delete(hash)
      return true
    })
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for await (const found of this.#bucket.list()) if (isBlobHash(found.name)) yield toStored(found)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.idle()
    this.#bucket[Symbol.dispose]()
  }

  async #openSome(hash: string, range: ByteRange | undefined): Promise<OpenBlob | undefined> {
    const opened = await this.#bucket.get(hash, range)
    if (opened === undefined) return undefined
    if (opened === 'beyond') throw new RangeError(`The range from ${range?.start} begins beyond the end`)
    try {
      if (range !== undefined) checkByteRange(range, opened.size)
      return opened
    } catch (error) {
      opened.stream.destroy()
      throw error
    }
  }

  async #putSmall(bytes: Uint8Array, maxBytes: number): Promise<BlobInfo> {
    if (bytes.length > maxBytes) throw new BlobTooLarge(maxBytes)
    const hash = createHash('sha256').update(bytes).digest('hex')
    await this.#queue.serial(hash, () => this.#uploads.run(() => this.#bucket.put(hash, bytes)))
    return { hash, size: bytes.length }
  }

  async #upload(file: string, { hash, size }: BlobInfo): Promise<void> {
    if (size <= this.#partBytes) return this.#bucket.put(hash, await readFile(file))
    await this.#bucket.putParts(hash, readParts(file, Math.max(this.#partBytes, Math.ceil(size / MAX_PARTS))))
  }
}

/** Parts of a file, one after another in memory. */
async function* readParts(file: string, partBytes: number): AsyncGenerator<Uint8Array> {
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  for (let at = 0; at < size; at += partBytes) {
    const part = Buffer.alloc(Math.min(partBytes, size - at))
    for (let read = 0; read < part.length;) {
      const { bytesRead } = await handle.read(part, read, part.length - read, at + read)
      if (bytesRead === 0) throw new Error(`${file} became shorter while it was read`)
      read += bytesRead
    }
    yield part
  }
}

/**
 * Opens a part of an S3 bucket, the objects whose names begin with the prefix, as a blob store. One process owns it.
 * Nothing is asked of the service yet: what is wrong shows with the first blob, as `BlobStoreFailed`.
 */
export async function openS3Blobs(options: S3BlobsOptions, random: Random): Promise<BlobStore> {
  await emptySpool(options.spool)
  return new S3Blobs(await openS3Bucket(options), options, random)
}
