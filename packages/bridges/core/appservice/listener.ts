import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Lookup } from '../lookups.ts'
import { parseLookup } from './parse-lookup.ts'

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  readonly hsToken: string
  /** Resolves once the transaction is stored. */
  readonly handleTransaction: (txnId: string, events: readonly unknown[]) => Promise<void>
  /** What is known of the networks; undefined: nothing. */
  readonly answerLookup: (lookup: Lookup) => Promise<JsonValue | undefined>
  /** Answers what is not the homeserver's: links to files. False = not its path either. */
  readonly handleOther?: (path: string, response: ServerResponse) => Promise<boolean>
  readonly onFault: (error: unknown) => void
}

/** A listener for a homeserver elsewhere. */
export interface AppserviceListener {
  readonly port: number
  stop(): Promise<void>
}

/** A transaction holds at most 100 events of at most 64 KiB each, and ephemeral ones beside them. */
const MAX_BODY = 16 * 1024 * 1024
const TRANSACTION = /^(?:\/_matrix\/app\/v1)?\/transactions\/([^/]{1,255})$/

function answer(
  response: ServerResponse,
  status: number,
  body: Readonly<Record<string, unknown>> | JsonValue,
): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function sameToken(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}

function tokenOf(request: IncomingMessage, url: URL): string {
  const header = request.headers.authorization ?? ''
  if (header.startsWith('Bearer ')) return header.slice(7)
  return url.searchParams.get('access_token') ?? ''
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}

async function putTransaction(
  options: ListenerOptions,
  txnId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = (await readBody(request)) as { events?: unknown } | undefined
  if (!Array.isArray(body?.events)) {
    answer(response, 400, {
      errcode: 'M_NOT_JSON',
      error: 'A transaction is a JSON object with a list of events.',
    })
    return
  }
  await options.handleTransaction(decodeURIComponent(txnId), body.events)
  answer(response, 200, {})
}

async function handle(
  options: ListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const isTheirs = url.pathname.startsWith('/_matrix/') || url.pathname.startsWith('/transactions/')
  if (!isTheirs) {
    if ((await options.handleOther?.(url.pathname, response)) !== true)
      answer(response, 404, { errcode: 'M_NOT_FOUND', error: 'There is nothing here.' })
    return
  }
  if (!sameToken(tokenOf(request, url), options.hsToken)) {
    answer(response, 403, { errcode: 'M_FORBIDDEN', error: 'That is not the token of our registration.' })
    return
  }
  const lookup = request.method === 'GET' ? parseLookup(url) : undefined
  const known = lookup === undefined ? undefined : await options.answerLookup(lookup)
  const txnId = TRANSACTION.exec(url.pathname)?.[1]
  if (txnId !== undefined && request.method === 'PUT') await putTransaction(options, txnId, request, response)
  else if (known !== undefined) answer(response, 200, known)
  else if (url.pathname === '/_matrix/app/v1/ping' && request.method === 'POST') answer(response, 200, {})
  // Users and rooms are made when somebody on the other side needs them, never because somebody asks for them.
  else answer(response, 404, { errcode: 'M_NOT_FOUND', error: 'No such user, room or path.' })
}

function listen(server: Server, options: ListenerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : options.port)
    })
  })
}

/**
 * Listens for the transactions of a homeserver that is not in our process.
 * https://spec.matrix.org/v1.19/application-service-api/#homeserver---application-service-api
 */
export async function startAppserviceListener(options: ListenerOptions): Promise<AppserviceListener> {
  const server = createServer((request, response) => {
    handle(options, request, response).catch((error: unknown) => {
      options.onFault(error)
      if (!response.headersSent) answer(response, 500, { errcode: 'M_UNKNOWN', error: 'Try again later.' })
      else response.destroy()
    })
  })
  const port = await listen(server, options)
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}
