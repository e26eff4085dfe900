import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import { RawJson } from '../../http/endpoint.ts'
import type { Outgoing, OutgoingAnswer } from '../../outgoing/outgoing.ts'
import type { Discovery, Target } from '../discovery/discovery.ts'
import type { FederationRequest } from '../federation-client.ts'
import type { ServerFilter } from '../server-filter.ts'
import { VERSION } from '../version.ts'
import { signRequest } from './sign-request.ts'

const TIMEOUT_MS = 30_000
const USER_AGENT = `Causeway/${VERSION}`

export interface SendDeps {
  readonly signer: Signer
  readonly discovery: Discovery
  readonly outgoing: Outgoing
  readonly filter: ServerFilter
}

/** Path and query as they stand on the request line and under the signature. */
export function requestUri({ path, query = [] }: Pick<FederationRequest, 'path' | 'query'>): string {
  const pairs = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}

/** The body as it is signed and sent: one text for both. Old rooms hold numbers that are not canonical now. */
function bodyText(body: FederationRequest['body']): string | undefined {
  if (body === undefined) return undefined
  return canonicalJson(body instanceof RawJson ? parseJson(body.text) : body, false)
}

function sendTo(
  target: Target,
  destination: ServerName,
  request: FederationRequest,
  { signer, outgoing, filter }: SendDeps,
): Promise<OutgoingAnswer> {
  const uri = requestUri(request)
  const content = bodyText(request.body)
  const { method, timeoutMs = TIMEOUT_MS, signal } = request
  return outgoing.send({
    ...target,
    verifyTls: !filter.isUnverified(destination),
    method,
    path: uri,
    headers: {
      host: target.hostHeader,
      authorization: signRequest(signer, destination, { method, uri, content }),
      accept: 'application/json',
      'user-agent': USER_AGENT,
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(content === undefined ? {} : { body: content }),
    timeoutMs,
    signal,
  })
}

/**
 * Finds a server and sends it a signed request, at the first of its places that can be connected to.
 * @throws DiscoveryError, and as `Outgoing.send`
 */
export async function sendSigned(
  destination: ServerName,
  request: FederationRequest,
  deps: SendDeps,
): Promise<OutgoingAnswer> {
  const { targets } = await deps.discovery.find(destination)
  let last: unknown
  for (const target of targets) {
    request.signal?.throwIfAborted()
    try {
      return await sendTo(target, destination, request, deps)
    } catch (error) {
      last = error
    }
  }
  deps.discovery.forget(destination)
  throw last
}
