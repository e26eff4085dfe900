import { createHash, timingSafeEqual } from 'node:crypto'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import type { FindSession } from '../http/authenticate.ts'
import { createTrustedProxies } from '../http/client-ip.ts'
import type { AnyEndpoint, Session } from '../http/endpoint.ts'
import { startListeners, type ListenAddress, type Listeners } from '../http/listen.ts'
import { Router } from '../http/router.ts'
import {
  commandEndpoints,
  operationEndpoints,
  type LoadCommands,
  type LoadRegistry,
  type ReadinessCheck,
} from './endpoints.ts'
import { loadAdminCommands } from './load-commands.ts'

export interface AdminListenerOptions {
  readonly hs: Homeserver
  readonly loadRegistry: LoadRegistry
  readonly findObstacle: ReadinessCheck
  /** The commands that may be given; default: those of the homeserver. */
  readonly loadCommands?: LoadCommands
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Who holds the admin token is no user of the server, but may give commands. */
function tokenHolder(hs: Homeserver): Session {
  return {
    userId: `@:${hs.serverName}` as UserId,
    deviceId: undefined,
    isAdmin: true,
    isGuest: false,
    appserviceId: undefined,
    tokenNid: undefined,
  }
}

/** Compares digests, so that neither the length nor the beginning of the token shows in the time it takes. */
function tokenCheck(hs: Homeserver, expected: string): FindSession {
  const wanted = digest(expected)
  return (token) => (timingSafeEqual(digest(token), wanted) ? tokenHolder(hs) : undefined)
}

const nobody: FindSession = () => new MatrixError('M_UNKNOWN_TOKEN', 'No admin token is configured')

function createRouter(
  { hs }: AdminListenerOptions,
  endpoints: readonly AnyEndpoint[],
  findSession: FindSession,
): Router {
  return new Router({
    hs,
    endpoints,
    findSession,
    limiter: hs.limiter,
    proxies: createTrustedProxies([]),
    clock: hs.clock,
    random: hs.random,
    log: hs.logger,
    cors: false,
  })
}

async function open(router: Router, address: ListenAddress, hs: Homeserver): Promise<Listeners> {
  return startListeners({
    addresses: [address],
    handle: (request, response) => router.handle(request, response),
    clock: hs.clock,
  })
}

/**
 * Starts the listener for operators: everything on the unix socket, which only its owner may open; metrics and
 * health over TCP where a port is configured, and commands there only with a token.
 */
export async function startAdminListener(options: AdminListenerOptions): Promise<AsyncDisposable> {
  const { hs, loadRegistry, findObstacle, loadCommands = loadAdminCommands } = options
  const { socket, host, port, token } = hs.config.admin
  const stack = new AsyncDisposableStack()
  const operations = operationEndpoints(loadRegistry, findObstacle)
  const local = createRouter(
    options,
    [...operations, ...commandEndpoints('none', { name: 'socket' }, loadCommands)],
    nobody,
  )
  stack.use(await open(local, { path: socket, mode: 0o600 }, hs))
  if (port !== undefined) {
    const commands = token === undefined ? [] : commandEndpoints('admin', { name: 'token' }, loadCommands)
    const check = token === undefined ? nobody : tokenCheck(hs, token)
    const remote = createRouter(options, [...operations, ...commands], check)
    try {
      stack.use(await open(remote, { host, port }, hs))
    } catch (error) {
      await stack.disposeAsync()
      throw error
    }
  }
  return stack
}
