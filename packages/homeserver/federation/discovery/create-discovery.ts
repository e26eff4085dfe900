import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isIpServerName, splitServerName } from '@causeway/matrix/ids/server-name.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Outgoing } from '../../outgoing/outgoing.ts'
import type { Resolver } from '../../outgoing/resolver.ts'
import { DiscoveryError, type Discovered, type Discovery, type Target } from './discovery.ts'
import { orderSrv } from './srv-order.ts'
import { createWellKnownLookup, weighEntry, type WellKnownLookup } from './well-known.ts'

const DEFAULT_PORT = 8448
/** Node's resolver does not tell how long SRV records may be kept. */
const FRESH_MS = 5 * 60_000
/** The second one is deprecated, and not registered; many servers still have it. */
const SERVICES = ['_matrix-fed._tcp', '_matrix._tcp']

export interface DiscoveryDeps {
  readonly outgoing: Outgoing
  readonly resolver: Resolver
  readonly clock: Clock
  readonly random: Random
  readonly budget: MemoryBudget
}

interface Kept {
  readonly discovered: Discovered
  /** By the monotonic clock. */
  readonly freshUntil: number
}

const unbracket = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** A name that says by itself where to connect: an address, or a host with a port. Undefined for other names. */
function findNamed(name: ServerName): Target | undefined {
  const { hostname, port } = splitServerName(name)
  if (port !== undefined && (port === 0 || port > 65_535))
    throw new DiscoveryError(`${name} has no valid port`)
  if (!isIpServerName(name) && port === undefined) return undefined
  const host = unbracket(hostname)
  return { host, port: port ?? DEFAULT_PORT, hostHeader: name, tlsName: host }
}

/** Steps 3.3 to 3.5, or 4 to 6: SRV records, and without any the host itself at port 8448. */
async function findByDns(
  name: ServerName,
  { resolver, random }: DiscoveryDeps,
  steps: string[],
): Promise<Target[]> {
  for (const service of SERVICES) {
    const records = await resolver.srv(`${service}.${name}`).catch((error: NodeJS.ErrnoException) => {
      steps.push(`DNS does not answer for SRV ${service}.${name}: ${error.code ?? error.message}`)
      return []
    })
    const ordered = orderSrv(records, random)
    if (ordered.length === 0) continue
    const places = ordered.map(({ target, port }) => `${target}:${port}`)
    steps.push(`SRV ${service}.${name} names ${places.join(', ')}`)
    return ordered.map(({ target, port }) => ({
      host: target.replace(/\.$/, ''),
      port,
      hostHeader: name,
      tlsName: name,
    }))
  }
  steps.push(`There is no SRV record of ${name}: port ${DEFAULT_PORT} of the host itself`)
  return [{ host: name, port: DEFAULT_PORT, hostHeader: name, tlsName: name }]
}

async function find(
  serverName: ServerName,
  wellKnown: WellKnownLookup,
  deps: DiscoveryDeps,
): Promise<Discovered> {
  const { server, reason } = await wellKnown.find(serverName)
  const steps: string[] = []
  const address = `https://${serverName}/.well-known/matrix/server`
  if (server === undefined) {
    steps.push(`${address} names no other server: ${reason}`)
    return { targets: await findByDns(serverName, deps, steps), steps }
  }
  steps.push(`${address} names ${server}`)
  const named = findNamed(server)
  return { targets: named === undefined ? await findByDns(server, deps, steps) : [named], steps }
}

/** Discovery by the network, with what was found kept for a while in bounded memory. */
export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { budget, clock } = deps
  const wellKnown = createWellKnownLookup({
    ...deps,
    cache: budget.cache({ name: 'well_known', share: 0.004, weigh: weighEntry }),
  })
  const kept = budget.cache<ServerName, Kept>({
    name: 'discovery',
    share: 0.004,
    weigh: ({ discovered }, name) => 4 * name.length + 300 * discovered.targets.length + 600,
  })
  const flights = createSingleFlight<ServerName, Discovered>()
  const refresh = async (serverName: ServerName): Promise<Discovered> => {
    const discovered = await find(serverName, wellKnown, deps)
    kept.set(serverName, { discovered, freshUntil: clock.monotonic() + FRESH_MS })
    return discovered
  }
  return {
    async find(serverName) {
      const named = findNamed(serverName)
      if (named !== undefined) {
        return { targets: [named], steps: [`${serverName} says itself where it is: port ${named.port}`] }
      }
      const known = kept.get(serverName)
      if (known !== undefined && clock.monotonic() < known.freshUntil) return known.discovered
      return flights.run(serverName, () => refresh(serverName))
    },
    forget: (serverName) => void kept.delete(serverName),
  }
}
