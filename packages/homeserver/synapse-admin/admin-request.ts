import type { Static, TSchema } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Endpoint, EndpointRequest, HttpResponse, RawJson } from '../http/endpoint.ts'

// Synapse's interface for administrators, as far as the tools that people use ask for it:
// https://element-hq.github.io/synapse/latest/usage/administration/admin_api/

type Run<P extends TSchema, Q extends TSchema, B extends TSchema> = (
  hs: Homeserver,
  request: EndpointRequest<'admin', Static<P>, Static<Q>, Static<B>>,
) => Promise<JsonObject | RawJson | HttpResponse>

type AdminEndpoint<P extends TSchema, Q extends TSchema, B extends TSchema> = Endpoint<'admin', P, Q, B>

/**
 * Declares an operation for administrators: with their limit, and with a line in the log for whatever changes
 * something. Bodies are not logged: they may hold passwords.
 * @param path behind `/_synapse/admin`, with the version: `/v1/users/:userId/media`
 */
export function defineAdminRequest<
  P extends TSchema = TSchema,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
>(request: Omit<AdminEndpoint<P, Q, B>, 'auth' | 'rateLimit'>): AdminEndpoint<P, Q, B> {
  const { run, method, operation, path, also } = request
  const logged: Run<P, Q, B> = (hs, asked) => {
    const actor = asked.session.userId
    hs.logger.info('admin request', { operation, actor, params: asked.params })
    return run(hs, asked)
  }
  return {
    ...request,
    path: `/_synapse/admin${path}`,
    ...(also === undefined ? {} : { also: also.map((other) => `/_synapse/admin${other}`) }),
    auth: 'admin',
    rateLimit: 'admin',
    run: method === 'GET' ? run : logged,
  }
}
