import { once } from 'node:events'
import { createServer } from 'node:https'
import { request as sendRequest } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject, Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import { signRequest } from '@causeway/homeserver/federation/client/sign-request.ts'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'

/** How long an answer may take before it counts as a hang. */
export const HANG_MS = 60_000

export interface Reply {
  readonly status: number
  readonly text: string
}

/** A request that another server made here. */
export interface Asked {
  readonly host: string
  readonly method: string
  /** Path without its query, still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly body: string
}

/** What it answers: JSON, text of any kind, or its own way with the connection. `undefined`: 404. */
export type EvilAnswer =
  | { readonly json: unknown; readonly status?: number }
  | { readonly text: string; readonly status?: number; readonly headers?: Record<string, string> }
  | { readonly raw: (response: ServerResponse, request: IncomingMessage) => void }
  | undefined

export type Answer = (asked: Asked) => EvilAnswer | Promise<EvilAnswer>

/** A homeserver of which the operator is the enemy: real HTTPS, real keys, and whatever answers it likes. */
export interface EvilServer extends AsyncDisposable {
  readonly port: number
  /** The name under which it takes part; it answers under every other name that leads to its port, too. */
  readonly name: ServerName
  readonly signer: Signer & { readonly publicKey: string }
  /** What it answers to what is no request for its keys. */
  answer: Answer
  /** What it answers when it is asked for keys, by the name that was asked. */
  keys: (host: string, asked: Asked) => EvilAnswer
  /** The document of keys that an honest server of that name would show. */
  keyDocument(host: string): JsonObject
  /** Sends a request to a server that is signed as ours. @param text of the body, that may be no JSON at all */
  send(to: Place, method: string, uri: string, text?: string, more?: SendMore): Promise<Reply>
}

export interface SendMore {
  readonly origin?: Signer
  readonly headers?: Record<string, string>
  /** Breaks the connection off. */
  readonly signal?: AbortSignal
  /** Writes the body by itself. */
  readonly write?: (write: (chunk: string) => void, end: () => void) => void
}

/** A server that is sent requests. */
export interface Place {
  readonly name: ServerName
  readonly port: number
}

export async function startEvilServer(
  authority: TestAuthority,
  host: string,
  hosts: readonly string[],
): Promise<EvilServer> {
  const { key, certificate: cert } = authority.issue(host, ...hosts)
  const web = createServer({ key, cert }, (request, response) => void respond(request, response))
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  const { port } = web.address() as AddressInfo
  const name = `${host}:${port}` as ServerName
  const signer = signerOf(name)
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => undefined)
    request.on('error', () => undefined)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(request, 'end').catch(() => undefined)
    const url = new URL(request.url ?? '/', `https://${host}`)
    const asked: Asked = {
      host: request.headers.host ?? '',
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      body: Buffer.concat(chunks).toString(),
    }
    const isKeys = url.pathname.startsWith('/_matrix/key/')
    const answer = isKeys ? server.keys(asked.host, asked) : await server.answer(asked)
    write(request, response, answer)
  }
  const server: EvilServer = {
    port,
    name,
    signer,
    answer: () => undefined,
    keys: (of) => ({ json: server.keyDocument(of) }),
    keyDocument: (of) => keyDocumentOf(of),
    send: (to, method, uri, text, more) => send(authority, signer, to, { method, uri, text, more }),
    async [Symbol.asyncDispose]() {
      web.closeAllConnections()
      web.close()
      await once(web, 'close')
    },
  }
  return server
}

/** The signing key of any name that leads here. */
export function signerOf(name: string): Signer & { readonly publicKey: string } {
  return makeSigner(name, 'ed25519:evil', Buffer.from(name.padEnd(32, '!').slice(0, 32)).toString('base64'))
}

function keyDocumentOf(host: string): JsonObject {
  const signer = signerOf(host)
  const document = {
    server_name: host,
    verify_keys: { [signer.keyId]: { key: signer.publicKey } },
    old_verify_keys: {},
    valid_until_ts: Date.UTC(2100, 0),
  }
  return signJson(document, signer)
}

function write(request: IncomingMessage, response: ServerResponse, answer: EvilAnswer): void {
  if (answer === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end('{"errcode":"M_NOT_FOUND","error":"Nothing here"}')
  } else if ('raw' in answer) answer.raw(response, request)
  else if ('json' in answer) {
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer.json))
  } else {
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
    response.end(answer.text)
  }
}

/** The canonical form of the body as its reader will see it; what has none cannot be signed, nor read. */
function contentOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return canonicalJson(parseJson(text), false)
  } catch {
    return '{}'
  }
}

function send(
  authority: TestAuthority,
  signer: Signer,
  to: Place,
  {
    method,
    uri,
    text,
    more = {},
  }: { method: string; uri: string; text?: string | undefined; more?: SendMore | undefined },
): Promise<Reply> {
  const authorization = signRequest(more.origin ?? signer, to.name, { method, uri, content: contentOf(text) })
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(
      {
        host: '127.0.0.1',
        port: to.port,
        servername: to.name.split(':')[0]!,
        ca: authority.certificate,
        method,
        path: uri,
        ...(more.signal === undefined ? {} : { signal: more.signal }),
        headers: {
          host: to.name,
          authorization,
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(text === undefined || more.write !== undefined
            ? {}
            : { 'content-length': String(Buffer.byteLength(text)) }),
          ...more.headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        )
      },
    )
    outgoing.setTimeout(HANG_MS, () => outgoing.destroy(new Error(`no answer within ${HANG_MS} ms`)))
    outgoing.on('error', reject)
    if (more.write === undefined) outgoing.end(text)
    else
      more.write(
        (chunk) => void (outgoing.destroyed || outgoing.write(chunk)),
        () => outgoing.end(),
      )
  })
}
