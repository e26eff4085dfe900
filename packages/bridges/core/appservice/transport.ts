import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'

/** A body that is no JSON. */
export interface RawBody {
  readonly bytes: Uint8Array
  readonly contentType: string
}

function isRaw(body: JsonValue | RawBody): body is RawBody {
  return typeof body === 'object' && body !== null && 'bytes' in body && body.bytes instanceof Uint8Array
}

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string>>
  /** JSON, or bytes with their type. */
  readonly body?: JsonValue | RawBody
  /** Masquerade; undefined = the appservice's own user. */
  readonly asUser?: string | undefined
}

export interface ApiResponse {
  /** 0: the homeserver gave no answer. */
  readonly status: number
  readonly json: unknown
}

/**
 * The way to a homeserver's client-server API as an application service: over HTTP, or a function call inside the
 * homeserver's own process. Never rejects: no answer is status 0. The implementation adds token and `user_id`.
 * https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
 */
export type AppserviceTransport = (method: string, path: string, request: ApiRequest) => Promise<ApiResponse>

export interface HttpTransportOptions {
  /** Without a slash at the end. */
  readonly baseUrl: string
  readonly asToken: string
  readonly clock: Clock
  /** The runtime's `fetch`: outgoing requests are arguments. */
  readonly fetch: typeof globalThis.fetch
  /** Milliseconds until an answer is given up; default 60,000. */
  readonly timeoutMs?: number
}

function encodeBody(body: ApiRequest['body']): { body?: string | Uint8Array<ArrayBuffer>; type?: string } {
  if (body === undefined) return {}
  if (isRaw(body)) return { body: new Uint8Array(body.bytes), type: body.contentType }
  return { body: JSON.stringify(body), type: 'application/json' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The transport to a homeserver elsewhere. The operator chose its address, so it is not guarded against private ones. */
export function createHttpTransport(options: HttpTransportOptions): AppserviceTransport {
  const { baseUrl, asToken, clock, timeoutMs = 60_000 } = options
  return async (method, path, { query, body, asUser }) => {
    const url = new URL(baseUrl + path)
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
    if (asUser !== undefined) url.searchParams.set('user_id', asUser)
    const encoded = encodeBody(body)
    const abort = new AbortController()
    const timer = clock.setTimeout(() => abort.abort(), timeoutMs)
    try {
      const response = await options.fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${asToken}`,
          ...(encoded.type === undefined ? {} : { 'content-type': encoded.type }),
        },
        signal: abort.signal,
        ...(encoded.body === undefined ? {} : { body: encoded.body }),
      })
      return { status: response.status, json: parseJson(await response.text()) }
    } catch {
      return { status: 0, json: undefined }
    } finally {
      timer.cancel()
    }
  }
}
