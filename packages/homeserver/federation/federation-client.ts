import type { Readable } from 'node:stream'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { RawJson } from '../http/endpoint.ts'

/** A request to another server, signed with `destination` by whoever sends it. */
export interface FederationRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** Path below the host, every segment percent-encoded already, such as `/_matrix/federation/v1/version`. */
  readonly path: string
  /** Repeated names are repeated in the query. */
  readonly query?: readonly (readonly [name: string, value: string])[]
  readonly body?: JsonObject | RawJson
  readonly signal?: AbortSignal
  /** From the first byte sent to the last one read. Default 30 s. */
  readonly timeoutMs?: number
  /** Longest answer that is read. Default 1 MiB; rooms and their state need more. */
  readonly maxBytes?: number
  /** Ask even where we are backing off from the server: somebody waits for it, or we probe whether it is back. */
  readonly evenIfBackingOff?: boolean
}

/** An answer that is read piece by piece: media. The caller reads `body` to its end or destroys it. */
export interface FederationStream {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
}

/** Why a request to another server came to nothing. */
export type FederationFailure =
  /** Discovery, connecting, TLS, time, or a connection that broke. */
  | { readonly kind: 'unreachable' }
  /** We were not asked to wait for a server that was down a moment ago. */
  | { readonly kind: 'backing-off'; readonly retryAt: number }
  /** The server answered with another status than 2xx. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly errcode: string | undefined
      readonly error: string | undefined
      readonly body: JsonObject | undefined
    }
  /** The answer is no JSON object, too long, or not what the operation answers. */
  | { readonly kind: 'malformed' }

/** Thrown by every call of a `FederationClient`; never shown to clients as it is (see `toClientError`). */
export class FederationError extends Error {
  override readonly name = 'FederationError'
  readonly destination: ServerName
  readonly failure: FederationFailure

  constructor(destination: ServerName, failure: FederationFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.destination = destination
    this.failure = failure
  }
}

/**
 * Speaks to other servers: discovery, TLS, signing, back-off, limits. Whoever needs another server is handed
 * this, and a simulation hands its own (law 8). Never used for our own name.
 */
export interface FederationClient {
  /** A JSON answer. @throws FederationError */
  request(destination: ServerName, request: FederationRequest): Promise<JsonObject>
  /** An answer as a stream, redirects to elsewhere not followed. @throws FederationError */
  stream(destination: ServerName, request: FederationRequest): Promise<FederationStream>
  /** The server was heard from (it sent us something): stop backing off from it. */
  heardFrom(destination: ServerName): void
}

/** GET of an https address that another server named, under the same guard as requests to servers. */
export type FetchUrl = (url: URL, timeoutMs: number) => Promise<FederationStream>
