import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import type { HttpResponse } from '../http/endpoint.ts'
import { fileResponse, type ByteRange } from '../http/range.ts'
import { contentDisposition } from '../media/content-disposition.ts'

/** What is sent of a blob, and under which name. */
export interface ServedFile {
  readonly hash: string
  readonly contentType: string
  /** Empty for none. */
  readonly filename: string
  /** Who may keep a copy, and for how many seconds. */
  readonly cache: { readonly scope: 'private' | 'public'; readonly seconds: number }
}

/** A day: content never changes, but it may be deleted. */
export const CACHE_SECONDS = 24 * 60 * 60

/** Whatever a file pretends to be, a browser runs nothing of it. https://spec.matrix.org/v1.19/client-server-api/#content-repository */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** The answer with a blob's bytes, or the part that was asked for. Throws `M_NOT_FOUND` when the blob is gone. */
export async function serveFile(
  hs: Pick<Homeserver, 'blobs'>,
  request: IncomingMessage,
  file: ServedFile,
): Promise<HttpResponse> {
  const stat = await hs.blobs.stat(file.hash)
  if (stat === undefined) throw notFound('The content of this media is missing')
  return fileResponse(request, {
    size: stat.size,
    etag: `"${file.hash}"`,
    headers: {
      ...SECURITY_HEADERS,
      'content-type': file.contentType,
      'content-disposition': contentDisposition(file.contentType, file.filename),
      'cache-control': `${file.cache.scope}, max-age=${file.cache.seconds}, immutable`,
    },
    open: (range) => Readable.from(readBlob(hs, file.hash, range), { objectMode: false }),
  })
}

async function* readBlob(
  { blobs }: Pick<Homeserver, 'blobs'>,
  hash: string,
  range: ByteRange | undefined,
): AsyncGenerator<Uint8Array> {
  const opened = await blobs.open(hash, range)
  if (opened === undefined) throw new Error(`blob ${hash} went away while it was sent`)
  yield* opened.stream as AsyncIterable<Uint8Array>
}
