import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Default } from 'typebox/value'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import type { FederationNetwork } from './federation/create-federation.ts'
import { findAppserviceByToken } from './appservice/registry.ts'
import type { AppserviceRegistration } from './appservice/registration.ts'
import { homeserverConfigSchema, type HomeserverConfig } from './config.ts'
import { createTrustedProxies } from './http/client-ip.ts'
import { dispatch, type DispatchResponse } from './http/dispatch.ts'
import type { AnyEndpoint } from './http/endpoint.ts'
import { Router } from './http/router.ts'
import type { Homeserver } from './homeserver.ts'
import { UNLIMITED } from './limits/test-limits.ts'
import { createLogger, silentLogger } from './ops/log.ts'
import { openHomeserver } from './open-homeserver.ts'
import { closeHomeserver, startSending } from './server.ts'

// Test support: a whole server without a listener, on every database.

export interface TestServer extends AsyncDisposable {
  readonly hs: Homeserver
  readonly router: Router
  /** Sends a request; a body is sent as JSON. */
  request(
    method: string,
    path: string,
    options?: { token?: string; body?: JsonObject; headers?: Record<string, string> },
  ): Promise<DispatchResponse>
  /** An account with its first login: its access token and ids. */
  register(name: string, more?: JsonObject): Promise<TestLogin>
  /** Closes it, and opens another on the same database. */
  restart(): Promise<TestServer>
}

export interface TestLogin {
  readonly userId: string
  readonly deviceId: string
  readonly token: string
}

export interface TestServerOptions {
  readonly endpoints: readonly AnyEndpoint[]
  readonly clock?: Clock
  readonly random?: Random
  readonly config?: Partial<HomeserverConfig>
  /** Appservices of this process; with them, or with files in the configuration, they are sent what they want. */
  readonly appservices?: readonly AppserviceRegistration[]
  /** Parts of the network between servers that are replaced. */
  readonly network?: FederationNetwork
}

export interface ServerDriver {
  readonly name: string
  readonly skip: string | false
  start(options: TestServerOptions): Promise<TestServer>
}

export const TEST_PASSWORD = 'correct horse battery'

/** The cheapest Argon2 there is, open registration, no limits; what is given wins. */
export function testConfig(folder: string, more: Partial<HomeserverConfig>): HomeserverConfig {
  const defaults = Default(homeserverConfigSchema, {
    server_name: 'test.example',
    database: {},
    media: {},
    registration: { mode: 'open' },
    password_hash: { memory: 8192, passes: 1 },
    presence: {},
    rate_limits: {},
    federation: { key_servers: [] },
    url_previews: {},
    email: { notifications_after: 600_000 },
    sms: { timeout: 30_000 },
    identity_servers: {},
    support: {},
    server_notices: {},
    turn: {},
    delayed_events: { max_delay: 86_400_000 },
    retention: { purge_every: 86_400_000 },
    rtc: {},
    old_signing_keys: {},
    memory: { budget: 64 * 1024 * 1024 },
    log: {},
    admin: {},
  }) as HomeserverConfig
  return {
    ...defaults,
    rate_limits: UNLIMITED,
    data_dir: folder,
    database: { path: path.join(folder, 'test.db'), pool_size: 2 },
    media: { ...defaults.media, path: path.join(folder, 'media') },
    signing_key: path.join(folder, 'signing.key'),
    ...more,
  }
}

/** Faults of ours are shown, since a test that meets one without knowing would mislead. */
const logger = createLogger({
  level: 'error',
  format: 'json',
  clock: systemClock,
  write: (line) => process.stderr.write(line),
})

/** A whole server on this configuration; `end` is called after it was closed for good. */
export async function openTestServer(
  config: HomeserverConfig,
  options: TestServerOptions,
  end: () => Promise<void>,
): Promise<TestServer> {
  const { clock = systemClock, random = systemRandom, endpoints } = options
  const { hs, db } = await openHomeserver(config, {
    clock,
    random,
    logger,
    appservices: options.appservices ?? [],
    ...(options.network === undefined ? {} : { network: options.network }),
  })
  await startSending(hs)
  const router = new Router({
    hs,
    endpoints,
    findSession: (token, use, request) => hs.sessions.find(token, use, request),
    authenticateServer: hs.federation.authenticate,
    limiter: hs.limiter,
    findAppservice: (token) => findAppserviceByToken(hs.appservices.registry, token)?.id,
    proxies: createTrustedProxies([]),
    clock,
    random,
    log: options.config?.log === undefined ? logger : silentLogger,
  })
  const close = async (): Promise<void> => {
    router.stop()
    await closeHomeserver(hs, db)
  }
  const server: TestServer = {
    hs,
    router,
    request: (method, url, more = {}) => dispatch(router, { method, url, ...more }),
    register: async (name, more = {}) => {
      const body = { username: name, password: TEST_PASSWORD, auth: { type: 'm.login.dummy' }, ...more }
      const answer = await server.request('POST', '/_matrix/client/v3/register', { body })
      const json = answer.json() as Record<string, string>
      if (answer.status !== 200) throw new Error(`register answered ${answer.status} ${JSON.stringify(json)}`)
      return { userId: json['user_id']!, deviceId: json['device_id']!, token: json['access_token']! }
    },
    restart: async () => {
      await close()
      return openTestServer(config, options, end)
    },
    [Symbol.asyncDispose]: async () => {
      await close()
      await end()
    },
  }
  return server
}

/** A server on each database of this machine. */
export async function findServerDrivers(): Promise<ServerDriver[]> {
  const drivers = await findTestDrivers()
  return drivers.map(({ name, skip, create }) => ({
    name,
    skip,
    start: async (options) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'homeserver-'))
      const database = await create()
      const end = async (): Promise<void> => {
        await database[Symbol.asyncDispose]()
        await rm(folder, { recursive: true })
      }
      const { config: place } = database
      const where = place.kind === 'sqlite' ? { path: place.path } : { path: '', url: place.url }
      const config = testConfig(folder, { ...options.config, database: { pool_size: 2, ...where } })
      return openTestServer(config, options, end)
    },
  }))
}
