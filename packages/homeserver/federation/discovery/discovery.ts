import type { ServerName } from '@causeway/matrix/ids/ids.ts'

/** One place where a server may be reached, and how to address it there. */
export interface Target {
  /** Where to connect: a host name or an IP address without brackets. */
  readonly host: string
  readonly port: number
  /** The `Host` header. */
  readonly hostHeader: string
  /** What the certificate must be for: a host name, or an IP address without brackets. */
  readonly tlsName: string
}

/** Where a server is. */
export interface Discovered {
  /** To be tried in this order; at least one. */
  readonly targets: readonly Target[]
  /** What was looked at and found, in sentences for the operator. */
  readonly steps: readonly string[]
}

/** The server name leads nowhere, whatever the network says: a port that is none. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError'
}

/** Finds servers by their names. https://spec.matrix.org/v1.19/server-server-api/#server-discovery */
export interface Discovery {
  /** @throws DiscoveryError */
  find(serverName: ServerName): Promise<Discovered>
  /** What was found led nowhere: DNS is asked anew the next time. */
  forget(serverName: ServerName): void
}
