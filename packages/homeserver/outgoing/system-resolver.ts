import { Resolver as DnsResolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Resolver } from './resolver.ts'

/** How long one question may take, and how often it is asked. */
const TIMEOUT_MS = 3_000
const TRIES = 2
/** How long the hosts file is believed to be unchanged. */
const HOSTS_FRESH_MS = 30_000
const HOSTS_FILE = '/etc/hosts'

export interface SystemResolverOptions {
  /** Name servers as `192.0.2.1` or `192.0.2.1:53`; default: those of the system. */
  readonly servers?: readonly string[]
  readonly hostsFile?: string
}

/** Names in a hosts file, lowercased, with their addresses. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (isIP(address) === 0) continue
    for (const name of names.map((one) => one.toLowerCase())) {
      const known = hosts.get(name)
      if (known === undefined) hosts.set(name, [address])
      else known.push(address)
    }
  }
  return hosts
}

/** Codes that mean: the question was answered, and there is nothing. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA'])

function nothingAsEmpty(error: unknown): [] {
  if (NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) return []
  throw error
}

/** Both families, whichever of them answers; thrown is only when neither did. */
async function resolveBoth(dns: DnsResolver, host: string): Promise<string[]> {
  const answers = await Promise.allSettled([
    dns.resolve6(host).catch(nothingAsEmpty),
    dns.resolve4(host).catch(nothingAsEmpty),
  ])
  const found = answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
  const failed = answers.find((one) => one.status === 'rejected')
  if (found.length === 0 && failed !== undefined) throw failed.reason
  return found
}

/**
 * The system's name servers and its hosts file. Questions do not pass through the thread pool, where slow answers
 * of strangers' name servers would hold up every access to files.
 */
export function createSystemResolver(
  clock: Pick<Clock, 'monotonic'>,
  { servers, hostsFile = HOSTS_FILE }: SystemResolverOptions = {},
): Resolver {
  const dns = new DnsResolver({ timeout: TIMEOUT_MS, tries: TRIES })
  if (servers !== undefined) dns.setServers([...servers])
  let hosts: ReadonlyMap<string, readonly string[]> = new Map()
  let readAt = -Infinity
  const findHost = async (host: string): Promise<readonly string[] | undefined> => {
    const now = clock.monotonic()
    if (now - readAt >= HOSTS_FRESH_MS) {
      readAt = now
      hosts = parseHosts(await readFile(hostsFile, 'utf8').catch(() => ''))
    }
    return hosts.get(host.toLowerCase())
  }
  return {
    addresses: async (host) => (await findHost(host)) ?? (await resolveBoth(dns, host)),
    srv: async (name) => {
      const records = await dns.resolveSrv(name).catch(nothingAsEmpty)
      return records.map(({ name: target, port, priority, weight }) => ({ target, port, priority, weight }))
    },
  }
}
