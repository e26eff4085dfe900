import { MatrixError, forbidden, limitExceeded, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { FederationError } from './federation-client.ts'

/** When a server that is asked too often may be asked again, where it does not say. */
const RETRY_MS = 10_000
const BAD_GATEWAY = 502

/**
 * What a client is told when another server did not give what was asked for: that it is not there, that it may
 * not be had, that it has to wait, or that the server does not answer. Never the other server's own words: a
 * sentence of ours, with the server's name.
 */
export function toClientError({ destination, failure }: FederationError): MatrixError {
  if (failure.kind === 'refused') {
    if (failure.status === 404) return notFound(`${destination} says that there is no such thing`)
    if (failure.status === 403) return forbidden(`${destination} does not tell that`)
    if (failure.status === 429) return limitExceeded(RETRY_MS)
  }
  const text =
    failure.kind === 'refused' || failure.kind === 'malformed'
      ? `${destination} answered with an error; try again later`
      : `${destination} cannot be reached at the moment; try again later`
  return new MatrixError('M_UNKNOWN', text, { status: BAD_GATEWAY })
}
