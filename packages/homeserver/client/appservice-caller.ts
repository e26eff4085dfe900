import type { IncomingMessage } from 'node:http'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { authenticate } from '../http/authenticate.ts'
import { findQueryValue } from '../http/query.ts'
import type { Homeserver } from '../homeserver.ts'

/**
 * Id of the appservice whose token a request has, on an operation that people use without one. Throws
 * `M_MISSING_TOKEN`, and `M_FORBIDDEN` for anybody else's token.
 */
export async function requireAppservice(
  hs: Pick<Homeserver, 'sessions'>,
  request: IncomingMessage,
  operation: string,
): Promise<string> {
  const url = request.url ?? ''
  const start = url.indexOf('?')
  const token = start === -1 ? undefined : findQueryValue(url.slice(start + 1), 'access_token')
  const find = (...asked: Parameters<typeof hs.sessions.find>) => hs.sessions.find(...asked)
  // The body says whom it is about. Libraries name the user in the query too, whom they are only about to make.
  const query = token === undefined ? '' : `access_token=${encodeURIComponent(token)}`
  const session = await authenticate({ auth: 'user', operation, method: 'POST' }, request, query, find)
  if (session?.appserviceId !== undefined) return session.appserviceId
  throw forbidden('Only application services may do this')
}
