import type { Dirent, Stats } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { createKeyedQueue } from '../cache/keyed-queue.ts'
import type { Random } from '../clock/clock.ts'
import { checkBlobHash, checkByteRange, isBlobHash } from './blob-store.ts'
import type { BlobInfo, BlobSource, BlobStore, ByteRange, OpenBlob, StoredBlob } from './blob-store.ts'
import { emptySpool, writeSpool } from './spool.ts'

/** Folder of what is being written; everything in it when the store is opened is left over from a crash. */
const TEMP = 'tmp'
const FOLDER_MODE = 0o700

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** Undefined where `work` finds no such file. */
async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Makes names in a folder durable. */
async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

function toStored(hash: string, stats: Stats): StoredBlob {
  return { hash, size: stats.size, storedTs: Math.floor(stats.mtimeMs) }
}

class DiskBlobs implements BlobStore {
  readonly #root: string
  readonly #random: Random
  /** Renames and deletions of one blob, one after another: what a put was answered for is durable. */
  readonly #queue = createKeyedQueue<string>()
  /** Folders whose names are known to be durable. */
  readonly #folders = new Set<string>()

  constructor(root: string, random: Random) {
    this.#root = root
    this.#random = random
  }

  async put(source: BlobSource, { maxBytes }: { readonly maxBytes: number }): Promise<BlobInfo> {
    const temp = path.join(this.#root, TEMP, this.#random.token(24))
    try {
      const info = await writeSpool(temp, source, { maxBytes, durable: true })
      // Also over an equal blob: that renews its age, and leaves no moment at which a deletion could have taken it.
      await this.#queue.serial(info.hash, () => this.#adopt(temp, info.hash))
      return info
    } catch (error) {
      await rm(temp, { force: true })
      throw error
    }
  }

  async open(hash: string, range?: ByteRange): Promise<OpenBlob | undefined> {
    const handle = await orMissing(open(this.#fileOf(hash), 'r'))
    if (handle === undefined) return undefined
    try {
      const { size } = await handle.stat()
      const { start, end } = range ?? { start: 0, end: size }
      checkByteRange({ start, end }, size)
      // A read stream's `end` is the last byte, so nothing at all cannot be asked of it.
      if (start < end) return { size, stream: handle.createReadStream({ start, end: end - 1 }) }
      await handle.close()
      return { size, stream: Readable.from([]) }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async stat(hash: string): Promise<StoredBlob | undefined> {
    const stats = await orMissing(stat(this.#fileOf(hash)))
    return stats && toStored(hash, stats)
  }

  async delete(hash: string): Promise<boolean> {
    const file = this.#fileOf(hash)
    return this.#queue.serial(hash, async () => {
      const found = await orMissing(unlink(file).then(() => true))
      if (found) await syncFolder(path.dirname(file))
      return found === true
    })
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for (const first of await this.#folderNames(this.#root)) {
      for (const second of await this.#folderNames(path.join(this.#root, first))) {
        yield* this.#listFolder(first, second)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.idle()
  }

  /** Two levels of 256 folders: a million blobs are 16 a folder. */
  #fileOf(hash: string): string {
    checkBlobHash(hash)
    return path.join(this.#root, hash.slice(0, 2), hash.slice(2, 4), hash)
  }

  async #adopt(temp: string, hash: string): Promise<void> {
    const file = this.#fileOf(hash)
    const folder = path.dirname(file)
    await this.#makeFolder(path.dirname(folder))
    await this.#makeFolder(folder)
    try {
      await rename(temp, file)
      await syncFolder(folder)
    } catch (error) {
      // Somebody may have removed the folder by hand: the next put makes it again.
      this.#folders.clear()
      throw error
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
    await syncFolder(path.dirname(folder))
    this.#folders.add(folder)
  }

  async #folderNames(parent: string): Promise<string[]> {
    const entries = await readdir(parent, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
      .map(({ name }) => name)
  }

  async *#listFolder(first: string, second: string): AsyncGenerator<StoredBlob> {
    const folder = path.join(this.#root, first, second)
    const isBlob = (entry: Dirent): boolean =>
      entry.isFile() && isBlobHash(entry.name) && entry.name.startsWith(first + second)
    for (const { name } of (await readdir(folder, { withFileTypes: true })).filter(isBlob)) {
      const blob = await this.stat(name)
      if (blob !== undefined) yield blob
    }
  }
}

/**
 * Opens a folder as a blob store, making it where needed. One process owns the folder: what an earlier one left
 * unfinished is removed here.
 */
export async function openDiskBlobs(root: string, random: Random): Promise<BlobStore> {
  const temp = path.join(root, TEMP)
  await mkdir(root, { recursive: true, mode: FOLDER_MODE })
  await emptySpool(temp)
  await syncFolder(root)
  return new DiskBlobs(root, random)
}
