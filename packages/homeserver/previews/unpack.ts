import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { OutgoingAnswer } from '../outgoing/outgoing.ts'

/** What `unpack` can undo; sent as Accept-Encoding. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br'

/** The answer is packed in a way that nobody asked for. */
export class UnknownEncoding extends Error {
  override readonly name = 'UnknownEncoding'
}

/** The body as it was before it was compressed; destroying it lets go of the connection. @throws UnknownEncoding */
export function unpack({ body, headers }: OutgoingAnswer): Readable {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (encoding === 'identity' || encoding === '') return body
  const unpacker =
    encoding === 'gzip' || encoding === 'x-gzip'
      ? createGunzip()
      : encoding === 'deflate'
        ? createInflate()
        : encoding === 'br'
          ? createBrotliDecompress()
          : undefined
  if (unpacker === undefined) {
    body.destroy()
    throw new UnknownEncoding(`The answer is packed as ${encoding.slice(0, 40)}`)
  }
  // A failure of either destroys both; who reads `unpacker` is told.
  pipeline(body, unpacker, () => undefined)
  return unpacker
}
