import { readFile } from 'node:fs/promises'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { addressBucket } from '../http/client-ip.ts'
import type { RateLimiter } from '../limits/limiter.ts'
import { verifySignature, type VerifyElsewhere } from '../crypto/verify.ts'
import type { FederationConfig } from '../federation-options.ts'
import type { Logger } from '../ops/log.ts'
import { createAddressGuard } from '../outgoing/address-guard.ts'
import { getFollowing } from '../outgoing/get-following.ts'
import { createOutgoing, type Outgoing } from '../outgoing/outgoing.ts'
import type { Resolver } from '../outgoing/resolver.ts'
import { createSystemResolver } from '../outgoing/system-resolver.ts'
import { createDestinations } from './client/destinations.ts'
import { createHttpFederationClient } from './client/http-client.ts'
import { createTally } from './client/tally.ts'
import { createDiscovery } from './discovery/create-discovery.ts'
import type { Discovery } from './discovery/discovery.ts'
import type { FederationClient, FetchUrl } from './federation-client.ts'
import type { Federation, OwnIdentity } from './federation.ts'
import { createServerAuthentication } from './incoming/authenticate-server.ts'
import { createKeyStore } from './keys/key-store.ts'
import { createKeyring } from './keys/create-keyring.ts'
import { createNotary } from './keys/notary.ts'
import { createServerFilter } from './server-filter.ts'

/** Media that a server has elsewhere. */
const REDIRECTED = { headers: { 'user-agent': 'Causeway' }, maxRedirects: 3 }

/** The network as tests and simulations replace it, from its lowest part to its highest. */
export interface FederationNetwork {
  readonly resolver?: Resolver
  /** What carries signed requests, in place of HTTPS: everything above it stays real. */
  readonly outgoing?: Outgoing
  readonly discovery?: Discovery
  readonly client?: FederationClient
  readonly fetchUrl?: FetchUrl
  /** What checks signatures of events, in place of other threads. */
  readonly verify?: VerifyElsewhere
}

export interface FederationDeps extends OwnIdentity {
  readonly config: FederationConfig
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly budget: MemoryBudget
  readonly logger: Logger
  readonly network: FederationNetwork
  /** Told of a server that sent us something. */
  readonly onHeardFrom?: (server: ServerName) => void
  readonly limiter: Pick<RateLimiter, 'take'>
}

/** The certificate authorities of the configuration. @throws Error with a sentence for the operator */
export async function readAuthorities(config: Pick<FederationConfig, 'ca_certificates'>): Promise<string[]> {
  return await Promise.all(
    config.ca_certificates.map((file) =>
      readFile(file, 'utf8').catch((cause: unknown) => {
        throw new Error(`Cannot read ${file}, which federation.ca_certificates names`, { cause })
      }),
    ),
  )
}

/** @throws Error with a sentence for the operator, for files that cannot be read */
export async function createFederation(deps: FederationDeps): Promise<Federation> {
  const { config, serverName, ownKeys, clock, network } = deps
  const resolver = network.resolver ?? createSystemResolver(clock)
  const guard = createAddressGuard(config.allow_private_addresses)
  const authorities = await readAuthorities(config)
  const outgoing = network.outgoing ?? createOutgoing({ clock, resolver, guard, authorities })
  const discovery = network.discovery ?? createDiscovery({ ...deps, outgoing, resolver })
  const destinations = await createDestinations(deps)
  const filter = createServerFilter(config)
  const tally = createTally()
  const client =
    network.client ??
    createHttpFederationClient({ ...deps, discovery, outgoing, destinations, filter, tally })
  const keyring = createKeyring({
    ...deps,
    client,
    store: createKeyStore(deps),
    own: ownKeys,
    notaries: config.key_servers as ServerName[],
    verify: verifySignature,
  })
  const mayFetchKeys = (ip: string): boolean =>
    deps.limiter.take('server_keys', 'address', addressBucket(ip)) === 0
  const heardFrom = (server: ServerName): void => {
    client.heardFrom(server)
    deps.onHeardFrom?.(server)
  }
  const shared = { ...deps, own: ownKeys, client, keyring, filter, verify: verifySignature, serverName }
  return {
    client,
    fetchUrl:
      network.fetchUrl ?? ((url, timeoutMs) => getFollowing(outgoing, url, { ...REDIRECTED, timeoutMs })),
    keyring,
    ownKeys,
    notary: createNotary(shared),
    discovery,
    destinations,
    filter,
    tally,
    authenticate: createServerAuthentication({ ...shared, client: { heardFrom }, mayFetchKeys }),
    mayFetchKeys,
    async [Symbol.asyncDispose]() {
      outgoing[Symbol.dispose]()
      await destinations[Symbol.asyncDispose]()
    },
  }
}
