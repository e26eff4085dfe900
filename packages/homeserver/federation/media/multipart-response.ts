import { Readable } from 'node:stream'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../../homeserver.ts'
import { HttpResponse } from '../../http/endpoint.ts'
import { contentDisposition } from '../../media/content-disposition.ts'

/** What is sent of a blob. */
export interface SentFile {
  readonly hash: string
  readonly contentType: string
  /** Empty for none. */
  readonly filename: string
}

/**
 * Media as servers send it to each other: metadata, which is empty, and the bytes, as two parts of one body.
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid
 */
export async function multipartResponse(
  { blobs, random }: Pick<Homeserver, 'blobs' | 'random'>,
  { hash, contentType, filename }: SentFile,
): Promise<HttpResponse> {
  const stat = await blobs.stat(hash)
  if (stat === undefined) throw notFound('The content of this media is missing')
  const boundary = random.token(32)
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n--${boundary}\r\n` +
      `Content-Type: ${contentType}\r\nContent-Disposition: ${contentDisposition(contentType, filename)}\r\n\r\n`,
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    yield head
    const opened = await blobs.open(hash)
    if (opened === undefined) throw new Error(`blob ${hash} went away while it was sent`)
    yield* opened.stream as AsyncIterable<Uint8Array>
    yield tail
  }
  return new HttpResponse({
    status: 200,
    headers: {
      'content-type': `multipart/mixed; boundary=${boundary}`,
      'content-length': String(head.length + stat.size + tail.length),
    },
    body: Readable.from(parts(), { objectMode: false }),
  })
}
