import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { limitExceeded, unrecognized } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { isCountedFor, type LimitedAction } from '../limits/actions.ts'
import type { RateLimiter } from '../limits/limiter.ts'
import { takeForSession } from '../limits/take-for-session.ts'
import { answered, type Answered } from '../ops/answered.ts'
import type { Logger } from '../ops/log.ts'
import { authenticate, readToken, type FindSession } from './authenticate.ts'
import { discardRest, readBody, type BodyTimer } from './body.ts'
import { addressBucket, clientIp, type TrustedProxies } from './client-ip.ts'
import { parseBody, type CompiledEndpoint } from './compile-endpoint.ts'
import { PREFLIGHT_HEADERS } from './cors.ts'
import type { AnyEndpoint, Session } from './endpoint.ts'
import { HttpResponse } from './endpoint.ts'
import { toErrorResponse } from './errors.ts'
import { RequestContext, ServerStopping, type ContextHost } from './request-context.ts'
import { isServed, type Resource } from './resource.ts'
import { sendAnswer, type Answer } from './respond.ts'
import { createRouteTable, type Match, type RouteTable } from './routes.ts'

/** A body nobody reads is thrown away so that the connection can go on, unless it has no end in sight. */
const MAX_DRAINED_BYTES = 256 * 1024 * 1024

/** Whether the connection can go on after the answer. Waits for the end of a body whose length is not announced. */
async function canGoOn(request: IncomingMessage, clock: BodyTimer): Promise<boolean> {
  if (request.complete || request.method === 'GET') return true
  const length = request.headers['content-length']
  if (length !== undefined) return Number(length) <= MAX_DRAINED_BYTES
  // Who waits for our word before the body may never send it.
  return request.headers.expect === undefined && (await discardRest(request, clock))
}

/**
 * Finds out which homeserver signed a request. `content` is the JSON of its body, undefined where it has none;
 * `ip` is whence it came.
 * @throws MatrixError M_UNAUTHORIZED
 */
export type AuthenticateServer = (
  request: IncomingMessage,
  content: JsonValue | undefined,
  ip: string,
) => Promise<ServerName>

/** What the router is handed; each of these is the narrowest thing it needs. */
export interface RouterDeps {
  /** Passed through to the handlers. */
  readonly hs: Homeserver
  readonly endpoints: readonly AnyEndpoint[]
  readonly findSession: FindSession
  /** Needed where an endpoint is for servers. */
  readonly authenticateServer?: AuthenticateServer
  readonly limiter: Pick<RateLimiter, 'take'>
  /** The id of the application service whose token it is. Absent: there are none. */
  readonly findAppservice?: (token: string) => string | undefined
  readonly proxies: TrustedProxies
  readonly clock: Clock
  readonly random: Pick<Random, 'token'>
  readonly log: Logger
  /** `false` for an API that no web page has any business with. Default true. */
  readonly cors?: boolean
  /** Called once per answer. `compiled` is undefined where no endpoint matched; `ms` includes the body's arrival. */
  readonly observe?: (compiled: CompiledEndpoint | undefined, status: number, ms: number) => void
}

/** Turns requests into answers. Made once; `stop` empties the long polls. */
export class Router implements ContextHost {
  readonly table: RouteTable
  readonly proxies: TrustedProxies
  readonly waiting = new Set<AbortController>()
  #stopping = false
  readonly #cors: boolean
  readonly #deps: RouterDeps

  constructor(deps: RouterDeps) {
    this.#deps = deps
    this.#cors = deps.cors ?? true
    this.proxies = deps.proxies
    this.table = createRouteTable(deps.endpoints)
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** From now on answers close their connection, and every waiting request is told to answer at once. */
  stop(): void {
    this.#stopping = true
    const reason = new ServerStopping('the server stops')
    for (const controller of this.waiting) controller.abort(reason)
    this.waiting.clear()
  }

  /**
   * Answers one request on its connection. Never rejects.
   * @param resources what the listener serves; default: everything
   */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    resources?: readonly Resource[],
  ): Promise<void> {
    if (request.method === 'OPTIONS') {
      response.writeHead(204, this.#cors ? [...PREFLIGHT_HEADERS] : []).end()
      return
    }
    const answer = await this.answer(request, response, resources)
    const close = !(await canGoOn(request, this.#deps.clock)) || this.#stopping
    try {
      await sendAnswer({ response, close, cors: this.#cors }, answer)
    } catch (error) {
      this.#deps.log.debug('answer broke off', { url: request.url, error })
      response.destroy()
    }
  }

  /** The answer to one request: the one path that all take. Never rejects. */
  async answer(
    request: IncomingMessage,
    response?: ServerResponse,
    resources?: readonly Resource[],
  ): Promise<Answer> {
    const { clock, observe } = this.#deps
    const startedAt = observe === undefined ? 0 : clock.monotonic()
    let match: Match | undefined
    let answer: Answer
    try {
      match = this.table.match(request.method ?? '', request.url ?? '')
      if (resources !== undefined && !isServed(match.compiled.endpoint.path, resources)) {
        throw unrecognized('This address of the server is not for that')
      }
      answer = await this.#run(match, request, response)
    } catch (error) {
      answer = toErrorResponse(error, match?.compiled.endpoint.operation ?? 'unmatched', this.#deps)
    }
    const status = answer instanceof HttpResponse ? answer.status : 200
    if (match !== undefined && answered.hasSubscribers) {
      const { method, path } = match.compiled.endpoint
      answered.publish({ method, path, status } satisfies Answered)
    }
    if (observe !== undefined) {
      observe(match?.compiled, status, clock.monotonic() - startedAt)
    }
    return answer
  }

  async #run(match: Match, request: IncomingMessage, response?: ServerResponse): Promise<Answer> {
    const { compiled, params, query } = match
    const { endpoint } = compiled
    if (endpoint.auth === 'server') return this.#runForServer(match, request, response)
    const { findSession } = this.#deps
    const session =
      endpoint.auth === 'none' ? undefined : await authenticate(endpoint, request, query, findSession)
    if (endpoint.rateLimit !== undefined) this.#limit(endpoint.rateLimit, session, query, request)
    compiled.readParams(params)
    const context = new RequestContext(this, {
      raw: request,
      session,
      params,
      query: compiled.readQuery(query),
    })
    const expectsContinue = request.headers.expect !== undefined && endpoint.body !== undefined
    if (expectsContinue) response?.writeContinue()
    if (compiled.readBody !== undefined) {
      context.body = compiled.readBody(await readBody(request, compiled.maxBodyBytes, this.#deps.clock))
    }
    try {
      return (await endpoint.run(this.#deps.hs, context)) as Answer
    } finally {
      context.finish()
    }
  }

  /** The signature covers the body: it is read before it is known who asks, and checked only after. */
  async #runForServer(
    { compiled, params, query }: Match,
    request: IncomingMessage,
    response?: ServerResponse,
  ): Promise<Answer> {
    const { endpoint } = compiled
    const { authenticateServer, clock, limiter, hs } = this.#deps
    if (authenticateServer === undefined) throw unrecognized('This server does not speak to other servers')
    if (request.headers.expect !== undefined) response?.writeContinue()
    const content = parseBody(await readBody(request, compiled.maxBodyBytes, clock))
    const ip = clientIp(request, this.proxies)
    const origin = await authenticateServer(request, content, ip)
    if (endpoint.rateLimit !== undefined) {
      const wait = limiter.take(endpoint.rateLimit, 'server', origin)
      if (wait > 0) throw limitExceeded(wait)
    }
    compiled.readParams(params)
    const context = new RequestContext(this, {
      raw: request,
      session: undefined,
      origin,
      params,
      query: compiled.readQuery(query),
    })
    context.body = compiled.checkBody?.(content)
    try {
      return (await endpoint.run(hs, context)) as Answer
    } finally {
      context.finish()
    }
  }

  /** As whom somebody without a session counts. */
  #waitOfCaller(action: LimitedAction, query: string, request: IncomingMessage): number {
    const { limiter, findAppservice } = this.#deps
    const token = isCountedFor(action, 'appservice') ? readToken(request, query) : undefined
    const appserviceId = token === undefined ? undefined : findAppservice?.(token)
    if (appserviceId !== undefined) return limiter.take(action, 'appservice', appserviceId)
    return limiter.take(action, 'address', addressBucket(clientIp(request, this.proxies)))
  }

  #limit(action: LimitedAction, session: Session | undefined, query: string, request: IncomingMessage): void {
    const wait =
      session === undefined
        ? this.#waitOfCaller(action, query, request)
        : takeForSession(this.#deps.limiter, action, session)
    if (wait > 0) throw limitExceeded(wait)
  }
}
