import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'

/** What a signature of a request covers. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as they stand on the request line. */
  readonly uri: string
  readonly origin: ServerName
  /** Absent from servers of before version 1.3 of the specification. */
  readonly destination: ServerName | undefined
  /** The body as canonical JSON; absent where the request has none. */
  readonly content: string | undefined
}

/**
 * The canonical JSON that is signed.
 * https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function requestSigningText({ method, uri, origin, destination, content }: SignedRequest): string {
  const members = [
    ...(content === undefined ? [] : [`"content":${content}`]),
    ...(destination === undefined ? [] : [`"destination":${JSON.stringify(destination)}`]),
    `"method":${JSON.stringify(method)}`,
    `"origin":${JSON.stringify(origin)}`,
    `"uri":${JSON.stringify(uri)}`,
  ]
  return `{${members.join(',')}}`
}

/** The value of the `Authorization` header, in the form that older servers read too. */
export function signRequest(
  signer: Signer,
  destination: ServerName,
  request: Pick<SignedRequest, 'method' | 'uri' | 'content'>,
): string {
  const signature = signer.sign(requestSigningText({ ...request, origin: signer.serverName, destination }))
  return `X-Matrix origin="${signer.serverName}",destination="${destination}",key="${signer.keyId}",sig="${signature}"`
}
