import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { splitServerName } from '@causeway/matrix/ids/server-name.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { makeAuthority, type TestAuthority } from '@causeway/testkit/certificates.ts'
import type { HomeserverConfig } from './config.ts'
import type { FederationNetwork } from './federation/create-federation.ts'
import type { Discovery } from './federation/discovery/discovery.ts'
import type { FederationConfig } from './federation-options.ts'
import type { AnyEndpoint } from './http/endpoint.ts'
import { startListeners } from './http/listen.ts'
import { openTestServer, testConfig, type TestServer } from './test-server.ts'

// Test support: several whole servers in this process that speak to each other over TLS on loopback.

/** One of them: as `TestServer`, with a listener for the others. */
export interface FederatedServer extends TestServer {
  readonly name: ServerName
  /** Where it listens with TLS; stays the same while it is switched off. */
  readonly port: number
  /** Refuses connections, as a server that is down, until `switchOn`. */
  switchOff(): Promise<void>
  switchOn(): Promise<void>
}

/** Names lead to ports of loopback: `hs1.test`, `hs2.test`, … and whatever else is put in. */
export interface TestNetwork {
  readonly authority: TestAuthority
  readonly ports: Map<string, number>
  /** What a server of this network is configured with to speak to the others. */
  readonly network: FederationNetwork
}

export function createTestNetwork(): TestNetwork {
  const ports = new Map<string, number>()
  return { authority: makeAuthority(), ports, network: { discovery: findByPort(ports) } }
}

/** Servers are where the map says, on loopback. */
export function findByPort(ports: ReadonlyMap<string, number>): Discovery {
  return {
    find: async (serverName) => {
      const port = ports.get(serverName)
      if (port === undefined) throw new Error(`nobody is called ${serverName} in this test`)
      const target = { host: '127.0.0.1', port, hostHeader: serverName, tlsName: serverName }
      return { targets: [target], steps: [] }
    },
    forget: () => undefined,
  }
}

export interface FederatedOptions {
  readonly endpoints: readonly AnyEndpoint[]
  readonly clock?: Clock
  readonly config?: Partial<Omit<HomeserverConfig, 'federation'>>
  readonly federation?: Partial<FederationConfig>
  /** Where it listens; default: where the system has room. */
  readonly port?: number
}

/** Starts a server of that name in the network. */
export async function startFederatedServer(
  name: string,
  { authority, ports, network }: TestNetwork,
  options: FederatedOptions,
): Promise<FederatedServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'federated-'))
  const authorityFile = path.join(folder, 'authority.pem')
  await writeFile(authorityFile, authority.certificate)
  const base = testConfig(folder, { ...options.config, server_name: name })
  const federation: FederationConfig = {
    ...base.federation,
    allow_private_addresses: ['127.0.0.0/8', '::1'],
    ca_certificates: [authorityFile],
    ...options.federation,
  }
  const end = (): Promise<void> => rm(folder, { recursive: true })
  const server = await openTestServer({ ...base, federation }, { ...options, network }, end)
  const { key, certificate: cert } = authority.issue(splitServerName(name as ServerName).hostname)
  const listen = (port: number): ReturnType<typeof startListeners> =>
    startListeners({
      addresses: [{ host: '127.0.0.1', port, tls: { key, cert } }],
      handle: (request, response) => server.router.handle(request, response),
      clock: systemClock,
    })
  let listeners: Awaited<ReturnType<typeof listen>> | undefined = await listen(options.port ?? 0)
  const port = Number(new URL(listeners.urls[0]!).port)
  ports.set(name, port)
  const switchOff = async (): Promise<void> => {
    const open = listeners
    listeners = undefined
    await open?.stop()
  }
  return {
    ...server,
    name: name as ServerName,
    port,
    switchOff,
    switchOn: async () => {
      listeners ??= await listen(port)
    },
    [Symbol.asyncDispose]: async () => {
      await switchOff()
      await server[Symbol.asyncDispose]()
    },
  }
}

/**
 * Starts a server that is found by its name alone, `localhost:<port>`: for company that is not of this process, such
 * as a real Synapse that trusts the same authority.
 */
export async function startReachableServer(
  authority: TestAuthority,
  options: FederatedOptions,
): Promise<FederatedServer> {
  const port = options.port ?? (await freePort())
  const network: TestNetwork = { authority, ports: new Map(), network: {} }
  return startFederatedServer(`localhost:${port}`, network, { ...options, port })
}

/** `count` servers `hs1.test`, `hs2.test`, … that know each other. */
export async function startFederatedServers(
  count: number,
  options: FederatedOptions,
): Promise<
  { readonly servers: readonly FederatedServer[]; readonly network: TestNetwork } & AsyncDisposable
> {
  const stack = new AsyncDisposableStack()
  const network = createTestNetwork()
  const servers: FederatedServer[] = []
  try {
    for (let i = 1; i <= count; i++) {
      servers.push(stack.use(await startFederatedServer(`hs${i}.test`, network, options)))
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
  return { servers, network, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
