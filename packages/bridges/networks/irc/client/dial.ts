import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Duplex } from 'node:stream'

/** How a TLS connection is made. */
export interface TlsSettings {
  /** Refuse a certificate that does not verify. Only an operator's word may turn this off. */
  readonly verify: boolean
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string
  /** Client certificate and key, PEM: CertFP and SASL EXTERNAL. */
  readonly certificate?: string
  readonly key?: string
  /** Name to verify instead of the host. */
  readonly serverName?: string
}

/** Where to connect to. */
export interface DialTarget {
  readonly host: string
  readonly port: number
  readonly tls?: TlsSettings | undefined
  /** The own address to connect from, for servers that limit connections per address. */
  readonly localAddress?: string | undefined
}

/** Opens a connection, ready to write (TLS done, certificate verified); rejects when it fails or `signal` aborts. */
export type Dial = (target: DialTarget, signal: AbortSignal) => Promise<Duplex>

function open(target: DialTarget): Duplex {
  const { host, port, tls, localAddress } = target
  const where = { host, port, ...(localAddress === undefined ? {} : { localAddress }) }
  if (tls === undefined) return connectPlain({ ...where, noDelay: true, keepAlive: true })
  const serverName = tls.serverName ?? host
  return connectTls({
    ...where,
    rejectUnauthorized: tls.verify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    // Server name indication takes no addresses (RFC 6066 §3).
    ...(/^[0-9.]+$|:/.test(serverName) ? {} : { servername: serverName }),
  })
}

/** Dials with the machine's own sockets. */
export const dialSocket: Dial = async (target, signal) => {
  const socket = open(target)
  try {
    await once(socket, target.tls === undefined ? 'connect' : 'secureConnect', { signal })
    return socket
  } catch (cause) {
    // Whatever it still has to say after we gave up concerns nobody; unheard, it would end the process.
    socket.on('error', () => undefined)
    socket.destroy()
    throw cause
  }
}
