import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { CORS_HEADERS } from './cors.ts'
import { HttpResponse, RawJson } from './endpoint.ts'

export type Answer = JsonObject | RawJson | HttpResponse

const JSON_TYPE: readonly string[] = ['content-type', 'application/json', 'content-length']
const JSON_HEADERS: readonly string[] = [...CORS_HEADERS, ...JSON_TYPE]

/** How an answer leaves: `close` ends the connection after it; without `cors` no browser page may read it. */
interface Sending {
  readonly response: ServerResponse
  readonly close: boolean
  readonly cors: boolean
}

function jsonText(body: JsonObject | RawJson): string {
  return body instanceof RawJson ? body.text : JSON.stringify(body)
}

function sendJson({ response, close, cors }: Sending, text: string): void {
  const headers = [...(cors ? JSON_HEADERS : JSON_TYPE), String(Buffer.byteLength(text))]
  if (close) headers.push('connection', 'close')
  response.writeHead(200, headers)
  response.end(text)
}

function bodyType(body: HttpResponse['body']): string | undefined {
  if (typeof body === 'string') return body === '' ? undefined : 'text/plain; charset=utf-8'
  if (body instanceof Uint8Array || body instanceof Readable) return 'application/octet-stream'
  return 'application/json'
}

function headerList(answer: HttpResponse, length: number | undefined, { close, cors }: Sending): string[] {
  const out = cors ? [...CORS_HEADERS] : []
  const own = answer.headers
  for (const name of Object.keys(own)) out.push(name.toLowerCase(), own[name]!)
  const type = bodyType(answer.body)
  if (type !== undefined && !out.includes('content-type')) out.push('content-type', type)
  const bodyless = answer.status === 204 || answer.status === 304
  if (length !== undefined && !bodyless && !out.includes('content-length')) {
    out.push('content-length', String(length))
  }
  if (close) out.push('connection', 'close')
  return out
}

async function sendStream(sending: Sending, answer: HttpResponse, stream: Readable): Promise<void> {
  const { response } = sending
  response.writeHead(answer.status, headerList(answer, undefined, sending))
  if (response.req.method === 'HEAD') {
    stream.destroy()
    response.end()
    return
  }
  // A reader that goes away ends the stream, and a stream that fails ends the connection: a short body with
  // the announced length is how the client learns of it.
  await pipeline(stream, response)
}

/**
 * Writes an answer: headers once, with the length known, and the body in the same packet where it fits.
 * Resolves when all of it was handed to the connection; rejects when a stream broke off.
 */
export async function sendAnswer(sending: Sending, answer: Answer): Promise<void> {
  if (sending.response.destroyed) {
    if (answer instanceof HttpResponse && answer.body instanceof Readable) answer.body.destroy()
    return
  }
  if (!(answer instanceof HttpResponse)) {
    sendJson(sending, jsonText(answer))
    return
  }
  const { body } = answer
  if (body instanceof Readable) {
    await sendStream(sending, answer, body)
    return
  }
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : jsonText(body)
  sending.response.writeHead(answer.status, headerList(answer, Buffer.byteLength(bytes), sending))
  sending.response.end(bytes)
}
