import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { HttpResponse } from './endpoint.ts'

/** From byte `start`, up to but without byte `end`: as `BlobStore.open` takes it, unlike the header. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * Reads a `Range` header for something `size` bytes long. Undefined: send all of it (no header, several ranges
 * or a form we do not know, which a server may ignore). `unsatisfiable`: nothing of it lies within.
 * https://www.rfc-editor.org/rfc/rfc9110#name-range
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const parts = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  if (parts === null) return undefined
  const [, first = '', last = ''] = parts
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end }
}

export interface FileAnswer {
  readonly size: number
  /** Content type, disposition, security headers; what belongs to the range is added. */
  readonly headers: Readonly<Record<string, string>>
  /** A strong validator with its quotes; where given, `If-None-Match` and `If-Range` are honored. */
  readonly etag?: string
  /** Opens the content, or the part of it. */
  readonly open: (range?: ByteRange) => Readable
}

function listsTag(header: string | undefined, etag: string | undefined): boolean {
  if (header === undefined || etag === undefined) return false
  return header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*')
}

function requestedRange(request: IncomingMessage, file: FileAnswer): ByteRange | 'unsatisfiable' | undefined {
  const condition = request.headers['if-range']
  if (condition !== undefined && condition !== file.etag) return undefined
  return parseRange(request.headers.range, file.size)
}

/** The answer to a download: whole, a part (206), nothing new (304) or nothing there (416). */
export function fileResponse(request: IncomingMessage, file: FileAnswer): HttpResponse {
  const headers = {
    ...file.headers,
    'accept-ranges': 'bytes',
    ...(file.etag === undefined ? {} : { etag: file.etag }),
  }
  if (listsTag(request.headers['if-none-match'], file.etag)) return new HttpResponse({ status: 304, headers })
  const range = requestedRange(request, file)
  if (range === 'unsatisfiable') {
    return new HttpResponse({ status: 416, headers: { ...headers, 'content-range': `bytes */${file.size}` } })
  }
  if (range === undefined) {
    return new HttpResponse({
      status: 200,
      headers: { ...headers, 'content-length': String(file.size) },
      body: file.open(),
    })
  }
  const length = String(range.end - range.start)
  const contentRange = `bytes ${range.start}-${range.end - 1}/${file.size}`
  return new HttpResponse({
    status: 206,
    headers: { ...headers, 'content-length': length, 'content-range': contentRange },
    body: file.open(range),
  })
}
