import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { dispatch } from '../http/dispatch.ts'
import type { Router } from '../http/router.ts'
import type { Appservices } from './appservices.ts'
import type { InProcessReceiver } from './receivers.ts'

export interface InProcessRequest {
  readonly query?: Readonly<Record<string, string>>
  /** JSON, or bytes with their type. */
  readonly body?: JsonValue | { readonly bytes: Uint8Array; readonly contentType: string }
  /** Who acts; undefined: the appservice's sender. */
  readonly asUser?: string | undefined
}

export interface InProcessResponse {
  readonly status: number
  /** Undefined when the answer is no JSON. */
  readonly json: unknown
}

/** The client-server API for an appservice of this process: no socket, but the whole path of a request. */
export interface InProcessPort {
  /** Never rejects: refusals are statuses, as over HTTP. `path` is without a query. */
  request(method: string, path: string, request?: InProcessRequest): Promise<InProcessResponse>
  /** Where the appservice's transactions go from now on. */
  receive(receiver: InProcessReceiver): void
}

type Bytes = { readonly bytes: Uint8Array; readonly contentType: string }

function isBytes(body: NonNullable<InProcessRequest['body']>): body is Bytes {
  return typeof body === 'object' && 'bytes' in body && body.bytes instanceof Uint8Array
}

function encodeBody(body: InProcessRequest['body']): { bytes?: Uint8Array; type?: string } {
  if (body === undefined) return {}
  if (body !== null && isBytes(body)) return { bytes: body.bytes, type: body.contentType }
  return { bytes: Buffer.from(JSON.stringify(body)), type: 'application/json' }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
}

/**
 * The door for an appservice of this process (the bridge hub), named by its registration's id and token.
 * @throws Error when it was not registered with this server
 */
export function createInProcessPort(
  router: Pick<Router, 'answer'>,
  appservices: Appservices,
  { id, as_token: asToken }: { readonly id: string; readonly as_token: string },
): InProcessPort {
  if (appservices.registry.byId.get(id)?.isInProcess !== true) {
    throw new Error(`${id} is not registered as an appservice of this process`)
  }
  return {
    async request(method, path, { query = {}, body, asUser } = {}) {
      const search = new URLSearchParams(query)
      if (asUser !== undefined) search.set('user_id', asUser)
      const { bytes, type } = encodeBody(body)
      const text = search.toString()
      const response = await dispatch(router as Router, {
        method,
        url: text === '' ? path : `${path}?${text}`,
        token: asToken,
        ...(bytes === undefined ? {} : { body: bytes }),
        ...(type === undefined ? {} : { headers: { 'content-type': type } }),
      })
      return { status: response.status, json: parseJson(response.bytes) }
    },
    receive: (receiver) => appservices.attach(id, receiver),
  }
}
