import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import type { DeviceId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import type { LimitedAction } from '../limits/actions.ts'

/** Who is asking: what a valid access token stands for. */
export interface Session {
  readonly userId: UserId
  /** Absent only for an appservice that named no device. */
  readonly deviceId: DeviceId | undefined
  readonly isAdmin: boolean
  readonly isGuest: boolean
  /** Id of the appservice whose `as_token` was used; such requests are not rate limited by default. */
  readonly appserviceId: string | undefined
  /** A user that an appservice acts as and whose registration asks for limits. */
  readonly isRateLimited?: boolean
  /** Row number of the access token; undefined for an appservice. */
  readonly tokenNid: number | undefined
  /** What they say reaches nobody, and is answered as if it did. Never so for an appservice. */
  readonly isShadowBanned?: boolean
  /** What an administrator did to the account; absent for one in good standing. */
  readonly standing?: 'locked' | 'suspended' | undefined
}

/**
 * `user`: an access token, with masquerading for appservices. `optional`: as `user`, or none.
 * `admin`: a user with the administrator flag. `server`: another homeserver, which signed the request with its
 * body (`Authorization: X-Matrix …`). `none`: nobody is asked.
 */
export type EndpointAuth = 'none' | 'optional' | 'user' | 'admin' | 'server'

type SessionOf<A extends EndpointAuth> = A extends 'none' | 'server'
  ? undefined
  : A extends 'optional'
    ? Session | undefined
    : Session

export interface EndpointRequest<A extends EndpointAuth, P, Q, B> {
  readonly session: SessionOf<A>
  /** The homeserver that asks, where `auth` is `server`. */
  readonly origin: A extends 'server' ? ServerName : undefined
  /** Path parameters, percent-decoded, checked against the schema. */
  readonly params: P
  readonly query: Q
  /** The checked JSON body; undefined when the endpoint takes none or a stream. */
  readonly body: B
  /** Aborted when the client goes away or the server stops. */
  readonly signal: AbortSignal
  readonly ip: string
  /** For streams (uploads) and rare headers. */
  readonly raw: IncomingMessage
}

/** A body that is JSON text already: spliced together by the handler instead of serialised again. */
export class RawJson {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** An answer that is not JSON with status 200. */
export interface CustomResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: JsonObject | RawJson | Uint8Array | string | Readable
}

export class HttpResponse implements CustomResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: JsonObject | RawJson | Uint8Array | string | Readable
  constructor(response: CustomResponse) {
    this.status = response.status
    this.headers = response.headers ?? {}
    this.body = response.body ?? ''
  }
}

/**
 * One operation of an API, everything about it in one place. `path` has `:name` parameters; `also` lists
 * further paths of the same operation (older prefixes such as `/_matrix/client/r0/…`, unstable ones).
 */
export interface Endpoint<
  A extends EndpointAuth = EndpointAuth,
  P extends TSchema = TSchema,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
> {
  /** The specification's operationId, or a name of ours for what is beyond it. */
  readonly operation: string
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly also?: readonly string[]
  readonly auth: A
  readonly rateLimit?: LimitedAction
  readonly params?: P
  readonly query?: Q
  /** A schema for a JSON body; `stream` leaves the body unread in `raw`; absent: a body is ignored. */
  readonly body?: B | 'stream'
  /** An empty body is handed on as undefined: where a repeated request is answered whatever it carries. */
  readonly mayLackBody?: boolean
  /** Largest accepted body in bytes; default 128 KiB (an event is at most 64 KiB). */
  readonly maxBodyBytes?: number
  readonly run: (
    hs: Homeserver,
    request: EndpointRequest<A, Static<P>, Static<Q>, Static<B>>,
  ) => Promise<JsonObject | RawJson | HttpResponse>
}

/** Declares an endpoint; infers the handler's types from the schemas. */
export function defineEndpoint<
  A extends EndpointAuth,
  P extends TSchema = TSchema,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
>(endpoint: Endpoint<A, P, Q, B>): Endpoint<A, P, Q, B> {
  return endpoint
}

/** An endpoint whose handler types do not matter any more: what route tables hold. */
// oxlint-disable-next-line typescript/no-explicit-any -- a table of endpoints erases their parameter types
export type AnyEndpoint = Endpoint<any, any, any, any>
