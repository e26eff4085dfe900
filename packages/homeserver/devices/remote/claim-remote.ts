// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { askServers, type ServerFailure } from '../../federation/ask-servers.ts'
import type { FederationClient } from '../../federation/federation-client.ts'
import { renderClaims, type ClaimedKey, type KeyWish } from '../claim-keys.ts'
import { askOfKeys, type FetchOptions } from './fetch-identities.ts'

const MAX_KEY_LENGTH = 4_000

/**
 * Claims keys of users of other servers, each server asked once for all of its users. What nobody asked for in
 * an answer is left out.
 */
export async function claimRemoteKeys(
  client: FederationClient,
  wishes: readonly KeyWish[],
  options: FetchOptions,
): Promise<{ keys: JsonObject; failures: Readonly<Record<string, ServerFailure>> }> {
  const byServer = Map.groupBy(wishes, (wish) => serverNameOf(wish.userId))
  const { answers, failures } = await askServers(byServer.keys(), (server) =>
    ask(client, server, byServer.get(server)!, options),
  )
  const claimed = new Map<KeyWish, ClaimedKey>()
  for (const [server, answer] of answers) {
    for (const wish of byServer.get(server)!) {
      const key = findKey(answer, wish)
      if (key !== undefined) claimed.set(wish, key)
    }
  }
  return { keys: renderClaims(claimed), failures }
}

async function ask(
  client: FederationClient,
  server: ServerName,
  wishes: readonly KeyWish[],
  options: FetchOptions,
): Promise<JsonObject> {
  const users = Map.groupBy(wishes, (wish) => wish.userId)
  const devices = [...users].map(([userId, ofUser]) => [
    userId,
    Object.fromEntries(ofUser.map((wish) => [wish.deviceId, wish.algorithm])),
  ])
  const body: JsonObject = { one_time_keys: Object.fromEntries(devices) as JsonObject }
  const answer = await askOfKeys(client, server, 'claim', body, options)
  const keys = answer['one_time_keys']
  return isJsonObject(keys) ? keys : {}
}

function findKey(answer: JsonObject, { userId, deviceId, algorithm }: KeyWish): ClaimedKey | undefined {
  const devices = own(answer, userId)
  const keys = isJsonObject(devices) ? own(devices, deviceId) : undefined
  if (!isJsonObject(keys)) return undefined
  for (const [id, key] of Object.entries(keys)) {
    if (!id.startsWith(`${algorithm}:`) || !isKey(key)) continue
    return { keyId: id.slice(algorithm.length + 1), key }
  }
  return undefined
}

function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function isKey(key: JsonValue): boolean {
  const isForm = typeof key === 'string' || (isJsonObject(key) && typeof key['key'] === 'string')
  return isForm && JSON.stringify(key).length <= MAX_KEY_LENGTH
}
