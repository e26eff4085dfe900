import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { chmod, unlink } from 'node:fs/promises'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Resource } from './resource.ts'

/** Where to listen: a TCP address (port 0: the system chooses) or a unix socket with its file mode. */
export type ListenAddress =
  | {
      readonly host: string
      readonly port: number
      readonly tls?: Certificate
      readonly resources?: readonly Resource[]
    }
  | { readonly path: string; readonly mode?: number; readonly resources?: readonly Resource[] }

/** A certificate chain and its key, both PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  address: ListenAddress,
) => Promise<void>

export interface ListenOptions {
  readonly addresses: readonly ListenAddress[]
  readonly handle: RequestHandler
  readonly clock: Clock
  readonly timeouts?: HttpTimeouts
}

export interface HttpTimeouts {
  /** How long headers may take: whoever drips them holds a connection and nothing else. */
  readonly headersMs: number
  /** How long a whole request may take: an upload of 100 MB over a slow line. JSON bodies have their own limit. */
  readonly requestMs: number
  /** How often the two are enforced. */
  readonly sweepMs: number
  /** How long an idle connection is kept: longer than a proxy's usual 60 s, so that it is the proxy that closes. */
  readonly keepAliveMs: number
}

const DEFAULT_TIMEOUTS: HttpTimeouts = {
  headersMs: 20_000,
  requestMs: 15 * 60_000,
  sweepMs: 5_000,
  keepAliveMs: 75_000,
}
/** How long a stop waits for answers that are under way. */
export const STOP_TIMEOUT_MS = 10_000

function serverOptions(timeouts: HttpTimeouts): ServerOptions {
  return {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: timeouts.sweepMs,
    maxHeaderSize: 32 * 1024,
  }
}

function rawAnswer(status: string, errcode: string, error: string): string {
  const body = JSON.stringify({ errcode, error })
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\naccess-control-allow-origin: *\r\n`
  return `${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}

/** Answers what never became a request: headers too large, too slow, or no HTTP at all. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const text = 'The address or the headers are too long'
    socket.end(rawAnswer('431 Request Header Fields Too Large', 'M_TOO_LARGE', text))
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    socket.end(rawAnswer('408 Request Timeout', 'M_UNKNOWN', 'The request did not arrive in time'))
  } else socket.end(rawAnswer('400 Bad Request', 'M_UNKNOWN', 'This is not HTTP/1.1'))
}

function describe(address: ListenAddress): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`
}

async function open(server: Server, address: ListenAddress): Promise<void> {
  // A socket file left behind by a killed process would refuse the address for ever.
  if ('path' in address) await unlink(address.path).catch(ignoreMissing)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(
      'path' in address ? { path: address.path } : { host: address.host, port: address.port },
      () => {
        server.off('error', reject)
        resolve()
      },
    )
  }).catch((cause: NodeJS.ErrnoException) => {
    const hint = cause.code === 'EADDRINUSE' ? ': another program listens there already' : ''
    throw new Error(`Cannot listen on ${describe(address)}${hint}`, { cause })
  })
  if ('path' in address) await chmod(address.path, address.mode ?? 0o660)
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** The listening sockets of a server, and the answers that are under way on them. */
export class Listeners implements AsyncDisposable {
  readonly #servers: { server: Server; address: ListenAddress }[] = []
  readonly #options: ListenOptions
  #active = 0
  #drained: (() => void) | undefined = undefined

  constructor(options: ListenOptions) {
    this.#options = options
  }

  /** Opens every address, or none: the first that fails closes the others and rejects. */
  async open(): Promise<void> {
    try {
      for (const address of this.#options.addresses) {
        const server = this.#create(address)
        this.#servers.push({ server, address })
        await open(server, address)
      }
    } catch (error) {
      for (const { server } of this.#servers) server.close()
      throw error
    }
  }

  /** Base URLs (or socket paths) as they can be reached, in the order of the options. */
  get urls(): string[] {
    return this.#servers.map(({ server, address }) => {
      if ('path' in address) return `unix:${address.path}`
      const { port } = server.address() as AddressInfo
      const host = address.host.includes(':') ? `[${address.host}]` : address.host
      return `${address.tls === undefined ? 'http' : 'https'}://${host}:${port}`
    })
  }

  /**
   * New connections to that address get this certificate; those that stand keep theirs.
   * @throws when certificate and key are none, or do not belong together; then the old one stays
   */
  renewCertificate(index: number, certificate: Certificate): void {
    const server = this.#servers[index]?.server
    if (server instanceof TlsServer) server.setSecureContext({ ...certificate })
  }

  /**
   * Stops accepting at once, lets answers under way finish for at most ten seconds, then closes what is left.
   * Whoever waits for news must have been told before (`Router.stop`).
   */
  async stop(): Promise<void> {
    const closed = this.#servers.map(
      ({ server }) => new Promise<void>((resolve) => server.close(() => resolve())),
    )
    await this.#drain()
    for (const { server } of this.#servers) server.closeAllConnections()
    await Promise.all(closed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #drain(): Promise<void> {
    if (this.#active === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timeout = this.#options.clock.setTimeout(resolve, STOP_TIMEOUT_MS)
      this.#drained = () => {
        timeout.cancel()
        resolve()
      }
    })
  }

  #create(address: ListenAddress): Server {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#active += 1
      response.once('close', this.#onClose)
      void this.#options.handle(request, response, address)
    }
    const tls = 'tls' in address ? address.tls : undefined
    const options = serverOptions(this.#options.timeouts ?? DEFAULT_TIMEOUTS)
    const server: Server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls })
    // `checkContinue` has a listener so that a body is asked for only after the request was let in.
    return server.on('request', listener).on('checkContinue', listener).on('clientError', refuseBrokenRequest)
  }

  readonly #onClose = (): void => {
    this.#active -= 1
    if (this.#active === 0) this.#drained?.()
  }
}

/** Opens the addresses and answers what comes. @throws when one of them cannot be had. */
export async function startListeners(options: ListenOptions): Promise<Listeners> {
  const listeners = new Listeners(options)
  await listeners.open()
  return listeners
}
