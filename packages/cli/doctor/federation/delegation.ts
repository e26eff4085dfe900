import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { publicBaseUrl } from '@causeway/homeserver/config.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isIpServerName, splitServerName } from '@causeway/matrix/ids/server-name.ts'

/** How other servers are meant to get from the server name to this server. */
export interface Delegation {
  readonly serverName: ServerName
  /** The host name of the server name. */
  readonly hostname: string
  /** Where the server answers: the host of its certificate. */
  readonly host: string
  readonly port: number
  /** The listener that a proxy in front hands requests to; undefined when this server speaks TLS itself. */
  readonly upstream: string | undefined
}

export type DelegationConfig = Pick<
  HomeserverConfig,
  'server_name' | 'public_base_url' | 'listeners' | 'federation'
>

const HTTPS_PORT = 443
const FEDERATION_PORT = 8448

type Listener = HomeserverConfig['listeners'][number]

const isForServers = ({ resources }: Listener): boolean =>
  resources === undefined || resources.includes('federation')

function upstreamOf(listeners: readonly Listener[]): string {
  const plain = listeners.find((one) => isForServers(one) && one.tls_cert === undefined)
  if (plain?.socket !== undefined) return `http://unix:${plain.socket}`
  return `http://127.0.0.1:${plain?.port ?? 8008}`
}

/** The host under which clients reach the server, or the name that is customary. */
function likelyHost(config: DelegationConfig, hostname: string): string {
  if (config.public_base_url === undefined) return hostname
  return new URL(publicBaseUrl(config)).hostname
}

/**
 * What the configuration is meant to lead to. `federation.delegate` says it; without it, it is the host of
 * `public_base_url` or of the server name, at the port of a TLS listener or that of a proxy.
 */
export function planDelegation(config: DelegationConfig): Delegation {
  const serverName = config.server_name as ServerName
  const { hostname, port: ownPort } = splitServerName(serverName)
  const tls = config.listeners.find((one) => isForServers(one) && one.tls_cert !== undefined)
  const delegate = config.federation.delegate
  const named = splitServerName((delegate ?? serverName) as ServerName)
  const host = delegate === undefined ? likelyHost(config, hostname) : named.hostname
  const stated = delegate === undefined ? ownPort : (named.port ?? FEDERATION_PORT)
  const port = stated ?? tls?.port ?? (host === hostname ? FEDERATION_PORT : HTTPS_PORT)
  return {
    serverName,
    hostname,
    host,
    port,
    upstream: tls === undefined ? upstreamOf(config.listeners) : undefined,
  }
}

const authority = ({ host, port }: Delegation): string => `${host}:${port}`

/** The file that the web server of the server name has to serve. */
export function formatWellKnown(plan: Delegation): string {
  return JSON.stringify({ 'm.server': authority(plan) })
}

/** The line for the zone of the server name, for who has no web server there; the certificate is for another name then. */
export function formatSrv(plan: Delegation): string {
  return `_matrix-fed._tcp.${plan.hostname}. 3600 IN SRV 10 5 ${plan.port} ${plan.host}.`
}

/** What the web server of the server name needs to serve the well-known file. */
export function formatWellKnownServer(plan: Delegation): string[] {
  return [
    'location = /.well-known/matrix/server {',
    '    default_type application/json;',
    `    return 200 '${formatWellKnown(plan)}';`,
    '}',
  ]
}

/** What a proxy in front of this server needs, for requests of other servers and of clients. */
export function formatProxy(plan: Delegation): string[] {
  const { host, port, upstream } = plan
  if (upstream === undefined) return []
  const sockets = port === HTTPS_PORT ? [HTTPS_PORT] : [HTTPS_PORT, port]
  return [
    'server {',
    ...sockets.flatMap((one) => [`    listen ${one} ssl;`, `    listen [::]:${one} ssl;`]),
    `    server_name ${host};`,
    `    ssl_certificate     /etc/letsencrypt/live/${host}/fullchain.pem;`,
    `    ssl_certificate_key /etc/letsencrypt/live/${host}/privkey.pem;`,
    '    client_max_body_size 100M;',
    '    location / {',
    '        # The address as it came: requests of other servers are signed over it.',
    `        proxy_pass ${upstream.startsWith('http://unix:') ? `${upstream}:` : upstream};`,
    '        proxy_http_version 1.1;',
    '        proxy_set_header Host $host;',
    '        proxy_set_header X-Forwarded-For $remote_addr;',
    '        proxy_read_timeout 120s;',
    '    }',
    '}',
  ]
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `    ${line}`)

/** Everything that is needed, exactly: a well-known file or a line of DNS, and what stands in front of the server. */
export function adviseDelegation(plan: Delegation): string[] {
  const lines: string[] = []
  const isElsewhere = plan.host !== plan.hostname || plan.port !== FEDERATION_PORT
  const canDelegate = !isIpServerName(plan.serverName) && plan.serverName === plan.hostname
  if (isElsewhere && canDelegate) {
    const otherwise =
      plan.host === plan.hostname
        ? 'Or put this line into its DNS zone:'
        : `Or, where nothing can be served at ${plan.hostname}, put this line into its DNS zone; ${plan.host} must then have a certificate for ${plan.hostname}:`
    lines.push(
      `Serve this at https://${plan.hostname}/.well-known/matrix/server:`,
      ...indent([formatWellKnown(plan)]),
      `With nginx, in the server block of ${plan.hostname}:`,
      ...indent(formatWellKnownServer(plan)),
      otherwise,
      ...indent([formatSrv(plan)]),
    )
  }
  const proxy = formatProxy(plan)
  if (proxy.length > 0) lines.push(`With nginx in front of this server, on ${plan.host}:`, ...indent(proxy))
  lines.push(`${plan.host} needs an A or AAAA record, and port ${plan.port} must be open to everybody.`)
  return lines
}
