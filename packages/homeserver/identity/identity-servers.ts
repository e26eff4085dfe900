import { isIP } from 'node:net'
import type { JsonObject, Signer } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { parseServerName, splitServerName } from '@causeway/matrix/ids/server-name.ts'
import { identityMatcher, type IdentityConfig } from '../identity-options.ts'
import type { Outgoing, OutgoingAnswer } from '../outgoing/outgoing.ts'
import { readBody } from '../outgoing/read-body.ts'

/** A request to an identity server, below `/_matrix/identity/v2`. */
export interface IdentityRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** The user's access token there; absent: the request is signed as this server. */
  readonly token?: string
  readonly body?: JsonObject
  readonly signal?: AbortSignal | undefined
}

/** It answered with another status than 200. */
export class IdentityRefused extends Error {
  override readonly name = 'IdentityRefused'
  readonly status: number
  /** Undefined where the answer is no Matrix error at all. */
  readonly errcode: string | undefined

  constructor(server: string, status: number, errcode: string | undefined) {
    super(`the identity server ${server} answered ${status} ${errcode ?? ''}`.trimEnd())
    this.status = status
    this.errcode = errcode
  }
}

/** It cannot be reached, is too slow, or its answer makes no sense. */
export class IdentityFailed extends Error {
  override readonly name = 'IdentityFailed'
}

/** Asks identity servers on behalf of users. Never inside a room's queue. */
export interface IdentityServers extends Disposable {
  /**
   * As `parseIdentityServer`. Throws `M_SERVER_NOT_TRUSTED` for one that the operator does not allow, too.
   */
  requireAllowed(server: string): string
  /** Whether the operator (still) allows it. */
  isAllowed(server: string): boolean
  /** A JSON answer. @throws IdentityRefused, IdentityFailed; the signal's reason */
  request(server: string, request: IdentityRequest): Promise<JsonObject>
}

export interface IdentityDeps {
  readonly config: IdentityConfig
  readonly signer: Signer
  /** Ends with this. */
  readonly outgoing: Outgoing
}

const PREFIX = '/_matrix/identity/v2'
const TIMEOUT_MS = 15_000
/** The longest answer is that to an invitation: a token, a name and a few keys. */
const MAX_ANSWER = 64 * 1024

/**
 * Signed as identity servers check it: with `destination_is` in place of `destination`, which nothing but their code
 * says. https://github.com/matrix-org/sydent
 */
function signAsServer(signer: Signer, server: string, uri: string, content: string): string {
  const members = [
    `"content":${content}`,
    `"destination_is":${JSON.stringify(server)}`,
    '"method":"POST"',
    `"origin":${JSON.stringify(signer.serverName)}`,
    `"uri":${JSON.stringify(uri)}`,
  ]
  const signature = signer.sign(`{${members.join(',')}}`)
  return `X-Matrix origin="${signer.serverName}",key="${signer.keyId}",sig="${signature}"`
}

async function readAnswer(server: string, { status, body }: OutgoingAnswer): Promise<JsonObject> {
  const bytes = await readBody(body, MAX_ANSWER)
  let json: unknown
  try {
    json = parseJson(bytes)
  } catch {
    json = undefined
  }
  if (status !== 200) {
    const errcode = isJsonObject(json) ? json['errcode'] : undefined
    throw new IdentityRefused(server, status, typeof errcode === 'string' ? errcode : undefined)
  }
  if (!isJsonObject(json))
    throw new IdentityFailed(`the identity server ${server} answered with no JSON object`)
  return json
}

/** Host and port in small letters, as a server is asked and remembered. Throws `M_INVALID_PARAM`. */
export function parseIdentityServer(text: string): string {
  const server = parseServerName(text.toLowerCase())
  if (server === undefined || (splitServerName(server).port ?? 1) > 65_535)
    throw invalidParam('id_server must be the host name of an identity server such as id.example.org')
  return server
}

export function createIdentityServers({ config, signer, outgoing }: IdentityDeps): IdentityServers {
  const isAllowed = identityMatcher(config)
  const send = (server: string, request: IdentityRequest): Promise<OutgoingAnswer> => {
    const { method, path, token, body, signal } = request
    const { hostname, port = 443 } = splitServerName(parseServerName(server)!)
    const host = hostname.replace(/^\[|\]$/g, '')
    const uri = PREFIX + path
    const content = body === undefined ? undefined : canonicalJson(body)
    const authorization =
      token === undefined ? signAsServer(signer, server, uri, content ?? '{}') : `Bearer ${token}`
    return outgoing.send({
      host,
      port,
      tlsName: isIP(host) === 0 ? host.replace(/\.$/, '') : host,
      method,
      path: uri,
      headers: {
        host: server,
        authorization,
        accept: 'application/json',
        'user-agent': 'Causeway',
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(content === undefined ? {} : { body: content }),
      timeoutMs: TIMEOUT_MS,
      signal,
    })
  }
  return {
    isAllowed,
    requireAllowed(text) {
      const server = parseIdentityServer(text)
      if (!isAllowed(server))
        throw new MatrixError(
          'M_SERVER_NOT_TRUSTED',
          `This server does not use the identity server ${server}; ask its administrators`,
        )
      return server
    },
    async request(server, request) {
      try {
        return await readAnswer(server, await send(server, request))
      } catch (error) {
        if (error instanceof IdentityRefused || error instanceof IdentityFailed) throw error
        request.signal?.throwIfAborted()
        throw new IdentityFailed(`the identity server ${server} cannot be asked`, { cause: error })
      }
    },
    [Symbol.dispose]: () => outgoing[Symbol.dispose](),
  }
}
