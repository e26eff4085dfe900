import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { withUia } from '../accounts/uia/with-uia.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'

/**
 * Runs an operation on somebody's own account once they have given their password again. Application services
 * know no passwords of their users and are trusted with them.
 * @param operation the operation and what it acts on
 */
export function confirmByPassword(
  hs: Homeserver,
  request: { readonly session: Session; readonly body: object; readonly ip: string },
  operation: string,
  run: () => Promise<JsonObject>,
): Promise<JsonObject> {
  const { session, ip } = request
  if (session.appserviceId !== undefined) return run()
  const body = { ...request.body } as JsonObject
  return withUia(hs, { flows: [['m.login.password']], operation, session, body, ip }, run)
}
