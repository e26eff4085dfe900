import type { IncomingMessage } from 'node:http'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { requireForGuests, requireStanding } from './account-standing.ts'
import type { AnyEndpoint, Session } from './endpoint.ts'
import { findQueryValue } from './query.ts'

/** What an appservice may add to its own token. https://spec.matrix.org/v1.19/application-service-api/#identity-assertion */
export interface TokenUse {
  readonly masqueradeAs: string | undefined
  readonly deviceId: string | undefined
}

/**
 * Looks an access token up. A refusal (expired: `soft_logout`, locked account, masquerading outside the
 * namespace) is a MatrixError; undefined stands for a token nobody knows.
 */
export type FindSession = (
  token: string,
  use: TokenUse,
  /** The request, for the address it came from. */
  request: IncomingMessage,
) => Promise<Session | MatrixError | undefined> | Session | MatrixError | undefined

const NO_USE: TokenUse = { masqueradeAs: undefined, deviceId: undefined }

/** The access token of a request, from its header or (as older clients send it) its query. */
export function readToken(request: IncomingMessage, query: string): string | undefined {
  const header = request.headers.authorization
  if (header === undefined) return query === '' ? undefined : findQueryValue(query, 'access_token')
  // The scheme is case-insensitive by RFC 9110; a federation header (X-Matrix) is no client's token.
  if (header.length > 7 && header.charCodeAt(6) === 32 && header.slice(0, 6).toLowerCase() === 'bearer') {
    return header.slice(7).trim()
  }
  return undefined
}

function readUse(query: string): TokenUse {
  if (query === '' || !(query.includes('user_id') || query.includes('device_id'))) return NO_USE
  return {
    masqueradeAs: findQueryValue(query, 'user_id'),
    deviceId: findQueryValue(query, 'device_id') ?? findQueryValue(query, 'org.matrix.msc3202.device_id'),
  }
}

/**
 * Finds out who asks, as the endpoint demands. Throws M_MISSING_TOKEN, M_UNKNOWN_TOKEN, the refusal of
 * `findSession`, M_FORBIDDEN where an administrator is needed, M_USER_LOCKED and M_USER_SUSPENDED, or
 * M_GUEST_ACCESS_FORBIDDEN.
 * `query` is the raw text behind `?`.
 */
export async function authenticate(
  endpoint: Pick<AnyEndpoint, 'auth' | 'operation' | 'method'>,
  request: IncomingMessage,
  query: string,
  findSession: FindSession,
): Promise<Session | undefined> {
  const token = readToken(request, query)
  if (token === undefined || token === '') {
    if (endpoint.auth === 'optional') return undefined
    throw new MatrixError(
      'M_MISSING_TOKEN',
      'This needs an access token: log in and send the header "Authorization: Bearer <token>"',
    )
  }
  const session = await findSession(token, readUse(query), request)
  if (session === undefined) {
    throw new MatrixError('M_UNKNOWN_TOKEN', 'This access token is not known here (any more); log in again')
  }
  if (session instanceof MatrixError) throw session
  if (session.standing !== undefined) requireStanding(session.standing, endpoint)
  if (session.isGuest) requireForGuests(endpoint)
  if (endpoint.auth === 'admin' && !session.isAdmin) {
    throw forbidden('Only server administrators may do this')
  }
  return session
}
