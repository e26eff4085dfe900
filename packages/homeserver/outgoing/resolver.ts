/** An SRV record. https://datatracker.ietf.org/doc/html/rfc2782 */
export interface SrvRecord {
  readonly target: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/**
 * The domain name system, as an argument: a test or a simulation hands its own. An answer that there is nothing
 * is an empty list; everything else that goes wrong is thrown.
 */
export interface Resolver {
  /** IP addresses of a host, both families. */
  addresses(host: string): Promise<readonly string[]>
  /** SRV records of a name such as `_matrix-fed._tcp.example.org`. */
  srv(name: string): Promise<readonly SrvRecord[]>
}
