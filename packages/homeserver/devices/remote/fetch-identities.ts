import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { FederationClient } from '../../federation/federation-client.ts'
import { parseQueriedKeys, parseUserDevices, type RemoteIdentity } from './remote-identity.ts'

/** Users about whom one request asks. */
const PORTION = 250
const MAX_BYTES = 16 * 1024 * 1024

export interface FetchOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/**
 * Everything about one user, with the number of the last update in it.
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid
 * @throws FederationError
 */
export async function fetchUserDevices(
  client: FederationClient,
  userId: UserId,
  options: FetchOptions,
): Promise<RemoteIdentity> {
  const server = serverNameOf(userId)
  const path = `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`
  const answer = await client.request(server, { method: 'GET', path, maxBytes: MAX_BYTES, ...options })
  return parseUserDevices(server, userId, answer)
}

/**
 * Everything about many users of one server; those of whom it says nothing are left out.
 * https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery
 * @throws FederationError
 */
export async function fetchKeys(
  client: FederationClient,
  server: ServerName,
  userIds: readonly UserId[],
  options: FetchOptions,
): Promise<RemoteIdentity[]> {
  const portions: UserId[][] = []
  for (let from = 0; from < userIds.length; from += PORTION)
    portions.push(userIds.slice(from, from + PORTION))
  const found = await Promise.all(portions.map((portion) => fetchPortion(client, server, portion, options)))
  return found.flat()
}

/** One of the questions about keys of a server's users. @throws FederationError */
export function askOfKeys(
  client: FederationClient,
  server: ServerName,
  what: 'query' | 'claim',
  body: JsonObject,
  options: FetchOptions,
): Promise<JsonObject> {
  const path = `/_matrix/federation/v1/user/keys/${what}`
  return client.request(server, { method: 'POST', path, body, maxBytes: MAX_BYTES, ...options })
}

async function fetchPortion(
  client: FederationClient,
  server: ServerName,
  userIds: readonly UserId[],
  options: FetchOptions,
): Promise<RemoteIdentity[]> {
  const body = { device_keys: Object.fromEntries(userIds.map((userId) => [userId, []])) }
  const answer = await askOfKeys(client, server, 'query', body, options)
  return userIds.map((userId) => parseQueriedKeys(userId, answer)).filter((one) => one !== undefined)
}
