import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { HttpResponse, RawJson } from './endpoint.ts'
import type { Router } from './router.ts'

export interface DispatchRequest {
  readonly method: string
  /** Path and query as on the request line. */
  readonly url: string
  /** Short for the header `Authorization: Bearer …`. */
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body?: JsonObject | Uint8Array | string
  readonly signal?: AbortSignal
}

export interface DispatchResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  /** Parses the body as JSON. */
  json(): JsonObject
}

function bodyBytes(body: DispatchRequest['body']): Uint8Array {
  if (body === undefined) return new Uint8Array()
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

function buildRequest(input: DispatchRequest): IncomingMessage {
  const socket = new Socket()
  const request = new IncomingMessage(socket)
  const bytes = bodyBytes(input.body)
  request.method = input.method
  request.url = input.url
  request.headers = { 'content-length': String(bytes.length), ...input.headers }
  if (input.token !== undefined) request.headers.authorization = `Bearer ${input.token}`
  if (bytes.length > 0) request.push(bytes)
  request.push(null)
  request.complete = true
  input.signal?.addEventListener('abort', () => socket.destroy(), { once: true })
  return request
}

async function answerBytes(answer: HttpResponse | RawJson | JsonObject): Promise<Uint8Array> {
  if (answer instanceof RawJson) return Buffer.from(answer.text)
  if (!(answer instanceof HttpResponse)) return Buffer.from(JSON.stringify(answer))
  const { body } = answer
  if (body instanceof Readable) return await buffer(body)
  if (body instanceof Uint8Array) return body
  if (typeof body === 'string') return Buffer.from(body)
  return Buffer.from(body instanceof RawJson ? body.text : JSON.stringify(body))
}

/** Sends a request through the whole path of the router without a socket: for tests and in-process callers. */
export async function dispatch(router: Router, input: DispatchRequest): Promise<DispatchResponse> {
  const answer = await router.answer(buildRequest(input))
  const bytes = await answerBytes(answer)
  return {
    status: answer instanceof HttpResponse ? answer.status : 200,
    headers: answer instanceof HttpResponse ? answer.headers : {},
    bytes,
    json: () => JSON.parse(Buffer.from(bytes).toString()) as JsonObject,
  }
}
