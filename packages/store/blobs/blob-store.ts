import type { Readable } from 'node:stream'

/** Bytes as they come: at once, or piece by piece (a request's body, a file). */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array>

export interface BlobInfo {
  /** SHA-256 of the bytes, as 64 hexadecimal digits: the blob's name. */
  readonly hash: string
  readonly size: number
}

export interface StoredBlob extends BlobInfo {
  /**
   * Milliseconds since the epoch when it was last put, by the storage's own clock: whoever deletes what nothing
   * refers to spares what is young, since its reference may still be on the way.
   */
  readonly storedTs: number
}

/** A stretch of a blob: from byte `start`, up to but without byte `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface OpenBlob {
  /** Of the whole blob. */
  readonly size: number
  /** The range asked for. Whoever does not read it to its end destroys it. */
  readonly stream: Readable
}

/**
 * Bytes under the name of their hash, so that equal ones are kept once and none can change. Names that are no
 * hash are refused with `InvalidBlobHash`.
 */
export interface BlobStore extends AsyncDisposable {
  /**
   * Stores bytes; durable once it resolves. Nothing is left of a source that fails or is too long.
   * @throws BlobTooLarge as soon as there are more than `maxBytes`
   */
  put(source: BlobSource, options: { readonly maxBytes: number }): Promise<BlobInfo>
  /** Undefined when there is no such blob. @throws RangeError for a range that does not lie within the blob */
  open(hash: string, range?: ByteRange): Promise<OpenBlob | undefined>
  stat(hash: string): Promise<StoredBlob | undefined>
  /** Whether there was one. A blob being read is read to its end all the same. */
  delete(hash: string): Promise<boolean>
  /** While blobs are moved here from another store. */
  readonly moving?: OldBlobs
  /** All blobs, in no particular order. What is put or deleted meanwhile may be missing or not. */
  list(): AsyncIterable<StoredBlob>
}

/** `gone`: it was moved or deleted before. `damaged`: its bytes are not those of its name; it stays where it is. */
export type MoveOutcome = 'moved' | 'gone' | 'damaged'

/** The store that blobs are moved from. */
export interface OldBlobs {
  list(): AsyncIterable<StoredBlob>
  /** Moves one; it can be read all the while. */
  move(hash: string): Promise<MoveOutcome>
}

export class BlobTooLarge extends Error {
  override readonly name = 'BlobTooLarge'
  readonly maxBytes: number

  constructor(maxBytes: number) {
    super(`The content is larger than the ${maxBytes} bytes allowed`)
    this.maxBytes = maxBytes
  }
}

/** The store cannot be reached, or refuses: nothing is known of the blob. The cause says more. */
export class BlobStoreFailed extends Error {
  override readonly name = 'BlobStoreFailed'
}

export class InvalidBlobHash extends Error {
  override readonly name = 'InvalidBlobHash'
}

const HASH = /^[0-9a-f]{64}$/

export function isBlobHash(text: string): boolean {
  return HASH.test(text)
}

/** Gives `hash` back. @throws InvalidBlobHash for anything but a hash, `..` and the like above all */
export function checkBlobHash(hash: string): string {
  if (!isBlobHash(hash))
    throw new InvalidBlobHash('The name of a blob is 64 hexadecimal digits in lower case')
  return hash
}

/** @throws RangeError for a range that does not lie within `size` bytes */
export function checkByteRange({ start, end }: ByteRange, size: number): void {
  const ok =
    Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= size
  if (!ok) throw new RangeError(`The range ${start} to ${end} does not lie within ${size} bytes`)
}
