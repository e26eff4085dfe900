import { request as sendPlain, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as sendSecure } from 'node:https'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { createSecureContext, getCACertificates } from 'node:tls'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { AddressGuard } from './address-guard.ts'
import { createPlainPool, createPool } from './connection-pool.ts'
import type { Resolver } from './resolver.ts'

/** A request to a place that somebody else has named: over HTTPS, unless it says otherwise. */
export interface OutgoingRequest {
  /** Where to connect: a host name, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  /** What the certificate must be for: a host name, or an IP address without brackets. */
  readonly tlsName: string
  /** `true`: HTTP without TLS; `tlsName` has no meaning then. */
  readonly plain?: boolean
  /** `false` takes any certificate. */
  readonly verifyTls?: boolean
  readonly method: string
  readonly path: string
  /** With `host`, as the request shall name it. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Until the last byte of the answer was read. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** An answer whose body is still to be read, or destroyed. */
export interface OutgoingAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Readable
}

/** Sends requests to hosts that strangers name; nothing else may, see `createAddressGuard`. */
export interface Outgoing extends Disposable {
  /**
   * Resolves with the headers of the answer; redirects are not followed.
   * @throws OutgoingTimeout, AddressRefused, or the system's error; the signal's reason when it was aborted
   */
  send(request: OutgoingRequest): Promise<OutgoingAnswer>
}

/** Nothing answered in time. */
export class OutgoingTimeout extends Error {
  override readonly name = 'OutgoingTimeout'
}

/** The host has addresses, but only ones to which this server does not connect. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
}

/** How long a connection may take to stand: a host that is off should not cost the whole time for an answer. */
const CONNECT_MS = 10_000

/** The next of several addresses is tried after a second: Node's quarter is less than a way around the world. */
const SEVERAL_ADDRESSES = { autoSelectFamilyAttemptTimeout: 1_000 }

export interface OutgoingDeps {
  readonly clock: Clock
  readonly resolver: Resolver
  readonly guard: AddressGuard
  /** Certificate authorities (PEM) that are trusted beside the well-known ones. */
  readonly authorities?: readonly string[]
  /** The option that allows private addresses, for the operator who reads a refusal. */
  readonly option?: string
}

function refused(
  { option = 'federation.allow_private_addresses' }: OutgoingDeps,
  host: string,
): AddressRefused {
  return new AddressRefused(
    `${host} is at a private address, which this server does not connect to (${option})`,
  )
}

/** The addresses of a host that may be connected to. @throws AddressRefused, Error when it has none */
async function findAddresses(deps: OutgoingDeps, host: string): Promise<string[]> {
  const { resolver, guard } = deps
  const found = await resolver.addresses(host)
  if (found.length === 0) throw new Error(`${host} has no address in the domain name system`)
  const allowed = found.filter((address) => guard.allows(address))
  if (allowed.length === 0) throw refused(deps, host)
  return allowed
}

/** Names are resolved here and the guard sees every address before it is connected to. */
function createLookup(deps: OutgoingDeps): LookupFunction {
  return (host, { all }, callback) => {
    findAddresses(deps, host).then(
      (addresses) => {
        const list = addresses.map((address) => ({ address, family: isIP(address) }))
        if (all === true) callback(null, list)
        else callback(null, list[0]!.address, list[0]!.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }
}

/** Parsed once: reading all authorities anew for every connection would take longer than the handshake. */
function trust(authorities: readonly string[]): { secureContext?: ReturnType<typeof createSecureContext> } {
  if (authorities.length === 0) return {}
  return { secureContext: createSecureContext({ ca: [...getCACertificates('default'), ...authorities] }) }
}

/** Calls `onSlow` when the connection does not stand in time; a connection that is used again stands already. */
function limitConnecting(outgoing: ClientRequest, clock: Clock, onSlow: () => void): void {
  outgoing.once('socket', (socket: Socket | TLSSocket) => {
    if (!socket.connecting) return
    const timer = clock.setTimeout(onSlow, CONNECT_MS, { unref: true })
    const end = (): void => timer.cancel()
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', end).once('close', end)
  })
}

/** A signal that is aborted by the caller's, or by the clock. */
function createDeadline(
  clock: Clock,
  { timeoutMs, signal }: Pick<OutgoingRequest, 'timeoutMs' | 'signal'>,
): { readonly signal: AbortSignal; abort(reason: unknown): void; end(): void } {
  const stop = new AbortController()
  const abort = (): void => stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  const timer: Timer = clock.setTimeout(
    () => stop.abort(new OutgoingTimeout(`no answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  )
  return {
    signal: stop.signal,
    abort: (reason) => stop.abort(reason),
    end: () => {
      timer.cancel()
      signal?.removeEventListener('abort', abort)
    },
  }
}

/** A connection of the pool may have been closed by the other side at the moment it was used again. */
const wasStale = (outgoing: ClientRequest, error: NodeJS.ErrnoException): boolean =>
  outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')

export function createOutgoing(deps: OutgoingDeps): Outgoing {
  const { clock, guard, authorities = [] } = deps
  const agent = createPool()
  const plainAgent = createPlainPool()
  const lookup = createLookup(deps)
  const trusted = trust(authorities)

  const open = (request: OutgoingRequest, signal: AbortSignal): ClientRequest => {
    const { host, port, tlsName, verifyTls, method, path, headers, body, plain = false } = request
    const options = {
      lookup,
      ...SEVERAL_ADDRESSES,
      host,
      port,
      method,
      path,
      headers: body === undefined ? headers : { ...headers, 'content-length': Buffer.byteLength(body) },
      signal,
    }
    if (plain) return sendPlain({ ...options, agent: plainAgent })
    return sendSecure({
      ...options,
      ...trusted,
      agent,
      // A certificate for an address is asked for without a name (RFC 6066), and checked against `host`.
      servername: isIP(tlsName) === 0 ? tlsName : '',
      rejectUnauthorized: verifyTls ?? true,
    })
  }

  const attempt = (request: OutgoingRequest, deadline: ReturnType<typeof createDeadline>) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = open(request, deadline.signal)
      const slow = (): void =>
        deadline.abort(new OutgoingTimeout(`no connection within ${CONNECT_MS / 1000} s`))
      limitConnecting(outgoing, clock, slow)
      outgoing.once('response', resolve)
      outgoing.once('error', (error) => {
        if (wasStale(outgoing, error)) resolve(attempt(request, deadline))
        else reject(error)
      })
      outgoing.end(request.body)
    })

  return {
    async send(request) {
      if (isIP(request.host) !== 0 && !guard.allows(request.host)) throw refused(deps, request.host)
      const deadline = createDeadline(clock, request)
      try {
        const response = await attempt(request, deadline)
        response.once('close', () => deadline.end())
        return { status: response.statusCode ?? 0, headers: response.headers, body: response }
      } catch (error) {
        deadline.end()
        throw deadline.signal.aborted ? deadline.signal.reason : error
      }
    },
    [Symbol.dispose]: () => {
      agent.destroy()
      plainAgent.destroy()
    },
  }
}
