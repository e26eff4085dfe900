import type { IncomingMessage } from 'node:http'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Session } from './endpoint.ts'
import { clientIp, type TrustedProxies } from './client-ip.ts'

/** What a request needs of the server it arrived at. */
export interface ContextHost {
  readonly proxies: TrustedProxies
  /** Controllers of the requests that asked for a signal: aborted when the server stops. */
  readonly waiting: Set<AbortController>
  readonly stopping: boolean
}

/** The reason of `request.signal` when the server stops: a long poll then answers at once, empty. */
export class ServerStopping extends Error {
  override readonly name = 'ServerStopping'
}

/** The reason of `request.signal` when the client closed the connection: nobody reads the answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

/**
 * One request on its way to a handler. What few handlers ask for (the signal, the address) is made when it is
 * asked for: an abort controller and its listener cost more than the whole of the routing.
 */
export class RequestContext {
  readonly raw: IncomingMessage
  readonly params: unknown
  readonly query: unknown
  readonly session: Session | undefined
  readonly origin: ServerName | undefined
  body: unknown = undefined
  readonly #host: ContextHost
  #controller: AbortController | undefined = undefined
  #onClose: (() => void) | undefined = undefined

  constructor(
    host: ContextHost,
    request: {
      raw: IncomingMessage
      session: Session | undefined
      origin?: ServerName | undefined
      params: unknown
      query: unknown
    },
  ) {
    this.#host = host
    this.raw = request.raw
    this.session = request.session
    this.origin = request.origin
    this.params = request.params
    this.query = request.query
  }

  get ip(): string {
    return clientIp(this.raw, this.#host.proxies)
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#start()
    return this.#controller.signal
  }

  /** Lets go of the signal once the answer stands: nothing is left for it to stop. */
  finish(): void {
    if (this.#controller === undefined) return
    this.#host.waiting.delete(this.#controller)
    // The connection lives on; a listener per request would pile up on it.
    if (this.#onClose !== undefined) this.raw.socket.off('close', this.#onClose)
  }

  #start(): AbortController {
    const controller = new AbortController()
    if (this.#host.stopping) controller.abort(new ServerStopping())
    else if (this.raw.socket.destroyed) controller.abort(new ClientGone())
    else {
      this.#host.waiting.add(controller)
      this.#onClose = () => controller.abort(new ClientGone())
      this.raw.socket.once('close', this.#onClose)
    }
    return controller
  }
}
