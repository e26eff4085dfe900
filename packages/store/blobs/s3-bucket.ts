import type { Readable } from 'node:stream'
import type * as S3 from '@aws-sdk/client-s3'
import type { S3Client } from '@aws-sdk/client-s3'
import { BlobStoreFailed, type ByteRange } from './blob-store.ts'

/** Where a bucket is, and how one is let into it. */
export interface S3Options {
  /** Address of the service, such as https://s3.example.org; without it, that of Amazon in `region`. */
  readonly endpoint?: string
  readonly region: string
  readonly bucket: string
  /** What the names of all objects begin with; empty for nothing. */
  readonly prefix: string
  /** Names in one answer to a listing; default: as many as the service gives, mostly 1,000. */
  readonly pageSize?: number
  /** Without them they are looked for as Amazon's tools do: environment, `~/.aws`, role of the machine. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export interface S3ObjectInfo {
  /** Without the prefix. */
  readonly name: string
  readonly size: number
  /** Milliseconds since the epoch, to the second: what services tell exactly in one answer they round in another. */
  readonly modifiedTs: number
}

/** One part of an object that is sent in parts, numbered from 1. */
export interface S3Part {
  readonly ETag: string | undefined
  readonly PartNumber: number
}

/** The few operations of S3 that blobs need; each throws `BlobStoreFailed` when the service cannot do it. */
export interface S3Bucket extends Disposable {
  put(name: string, bytes: Uint8Array): Promise<void>
  /** The object is there when `parts` have been sent and all of them are named at the end; else nothing is. */
  putParts(name: string, parts: AsyncIterable<Uint8Array>): Promise<void>
  /** Undefined for no such object. `size` is that of all of it; a range beyond it is `beyond`. */
  get(name: string, range?: ByteRange): Promise<{ size: number; stream: Readable } | 'beyond' | undefined>
  head(name: string): Promise<S3ObjectInfo | undefined>
  delete(name: string): Promise<void>
  list(): AsyncIterable<S3ObjectInfo>
}

type Sdk = typeof S3

const CONNECT_MS = 10_000
/** Until an answer begins; a part has been sent by then. */
const ANSWER_MS = 120_000
/** Without a byte on a connection. */
const STALLED_MS = 120_000

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number }
}

function statusOf(error: unknown): number | undefined {
  return (error as SdkError).$metadata?.httpStatusCode
}

/** A missing bucket is told apart where the service says which is missing; to HEAD it never does. */
function isMissingObject(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket'
}

/** What the service said, in a sentence for the operator. */
function failure(doing: string, bucket: string, error: unknown): BlobStoreFailed {
  const { name, message } = error as Error
  const status = statusOf(error)
  const said = [status, name, message === 'UnknownError' ? undefined : message].filter(
    (one) => one !== undefined,
  )
  return new BlobStoreFailed(`S3, bucket ${bucket}, ${doing}: ${said.join(' ')}`, { cause: error })
}

class Bucket implements S3Bucket {
  readonly #sdk: Sdk
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #pageSize: number | undefined

  constructor(sdk: Sdk, client: S3Client, { bucket, prefix, pageSize }: S3Options) {
    this.#sdk = sdk
    this.#client = client
    this.#bucket = bucket
    this.#prefix = prefix
    this.#pageSize = pageSize
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const command = new this.#sdk.PutObjectCommand({ ...this.#at(name), Body: bytes })
    await this.#try('putting an object', () => this.#client.send(command))
  }

  async putParts(name: string, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const { CreateMultipartUploadCommand, CompleteMultipartUploadCommand } = this.#sdk
    const at = this.#at(name)
    const { UploadId } = await this.#try('beginning an upload', () =>
      this.#client.send(new CreateMultipartUploadCommand(at)),
    )
    try {
      const sent: S3Part[] = []
      for await (const bytes of parts) sent.push(await this.#putPart(name, UploadId, sent.length + 1, bytes))
      const end = new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: sent } })
      await this.#try('ending an upload', () => this.#client.send(end))
    } catch (error) {
      await this.#abort(name, UploadId)
      throw error
    }
  }

  async get(
    name: string,
    range?: ByteRange,
  ): Promise<{ size: number; stream: Readable } | 'beyond' | undefined> {
    const Range = range === undefined ? undefined : `bytes=${range.start}-${range.end - 1}`
    const command = new this.#sdk.GetObjectCommand({
      ...this.#at(name),
      ...(Range === undefined ? {} : { Range }),
    })
    try {
      const { Body, ContentLength, ContentRange } = await this.#client.send(command)
      const stream = Body as Readable
      const size = range === undefined ? ContentLength : Number(ContentRange?.split('/')[1])
      if (size !== undefined && Number.isSafeInteger(size)) return { size, stream }
      stream.destroy()
      throw new BlobStoreFailed(`S3, bucket ${this.#bucket}: an answer does not tell how large the object is`)
    } catch (error) {
      if (error instanceof BlobStoreFailed) throw error
      if (isMissingObject(error)) return undefined
      if (range !== undefined && statusOf(error) === 416) return 'beyond'
      throw failure('getting an object', this.#bucket, error)
    }
  }

  async head(name: string): Promise<S3ObjectInfo | undefined> {
    try {
      const { ContentLength, LastModified } = await this.#client.send(
        new this.#sdk.HeadObjectCommand(this.#at(name)),
      )
      return { name, size: ContentLength ?? 0, modifiedTs: toSecond(LastModified) }
    } catch (error) {
      if (isMissingObject(error)) return undefined
      throw failure('looking at an object', this.#bucket, error)
    }
  }

  async delete(name: string): Promise<void> {
    const command = new this.#sdk.DeleteObjectCommand(this.#at(name))
    await this.#try('deleting an object', () => this.#client.send(command))
  }

  async *list(): AsyncGenerator<S3ObjectInfo> {
    let token: string | undefined
    do {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix,
        ...(this.#pageSize === undefined ? {} : { MaxKeys: this.#pageSize }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      })
      const { Contents = [], NextContinuationToken } = await this.#try('listing', () =>
        this.#client.send(command),
      )
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        yield { name: Key.slice(this.#prefix.length), size: Size, modifiedTs: toSecond(LastModified) }
      }
      token = NextContinuationToken
    } while (token !== undefined)
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }

  #at(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + name }
  }

  async #putPart(
    name: string,
    UploadId: string | undefined,
    PartNumber: number,
    bytes: Uint8Array,
  ): Promise<S3Part> {
    const part = { ...this.#at(name), UploadId, PartNumber, Body: bytes }
    const { ETag } = await this.#try('putting a part', () =>
      this.#client.send(new this.#sdk.UploadPartCommand(part)),
    )
    return { ETag, PartNumber }
  }

  /** What cannot be called off is no object; a rule of the bucket removes it (docs/operate/media.md). */
  async #abort(name: string, UploadId: string | undefined): Promise<void> {
    const command = new this.#sdk.AbortMultipartUploadCommand({ ...this.#at(name), UploadId })
    await this.#client.send(command).catch(() => undefined)
  }

  async #try<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw failure(doing, this.#bucket, error)
    }
  }
}

function toSecond(date: Date | undefined): number {
  return Math.floor((date?.getTime() ?? 0) / 1000) * 1000
}

/** Asks nothing of the service yet. Amazon's library is loaded here, and nowhere else: it takes some 35 MB. */
export async function openS3Bucket(options: S3Options): Promise<S3Bucket> {
  const sdk = await import('@aws-sdk/client-s3')
  const { endpoint, region, credentials } = options
  const client = new sdk.S3Client({
    region,
    // Services that are not Amazon's seldom have a host name for each bucket.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // The signature covers a hash of the bytes as it is; checksums beyond that are not known everywhere.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: STALLED_MS,
      // One connection for each download, as there is one open file on disk: those who read slowly hold nobody up.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })
  return new Bucket(sdk, client, options)
}
