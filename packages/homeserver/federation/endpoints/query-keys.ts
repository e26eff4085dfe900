// https://spec.matrix.org/v1.19/server-server-api/#querying-keys-through-another-server
import { Type } from 'typebox'
import { badJson, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerKeyId } from '@causeway/matrix/ids/key-id.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { jsonObject } from '../../http/schemas.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { KeyQuery } from '../keys/notary.ts'

/** Servers in one question. */
const MAX_SERVERS = 500
const MAX_KEYS = 100

function answer(
  { federation }: Homeserver,
  queries: ReadonlyMap<ServerName, KeyQuery>,
  ip: string,
): Promise<JsonObject[]> {
  return federation.notary.answer(queries, () => federation.mayFetchKeys(ip))
}

export const perspectivesKeyQuery = defineEndpoint({
  operation: 'perspectivesKeyQuery',
  method: 'GET',
  path: '/_matrix/key/v2/query/:serverName',
  auth: 'none',
  params: Type.Object({ serverName: Type.String() }),
  query: Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer({ minimum: 0 })) }),
  run: async (hs, { params, query, ip }) => {
    const serverName = parseServerName(params.serverName)
    if (serverName === undefined) throw invalidParam(`"${params.serverName}" is no server name`)
    const minimumValidUntilTs = query.minimum_valid_until_ts ?? hs.clock.now()
    const queries = new Map([[serverName, { keyIds: [], minimumValidUntilTs }]])
    return { server_keys: await answer(hs, queries, ip) }
  },
})

function readCriteria(criteria: JsonValue, now: number): KeyQuery {
  if (!isJsonObject(criteria)) throw badJson('"server_keys" must hold an object for each server')
  const entries = Object.entries(criteria).slice(0, MAX_KEYS)
  const times = entries.map(([, wanted]) => {
    const time = isJsonObject(wanted) ? wanted['minimum_valid_until_ts'] : undefined
    return Number.isSafeInteger(time) ? Number(time) : now
  })
  return {
    keyIds: entries.map(([keyId]) => keyId).filter(isServerKeyId),
    minimumValidUntilTs: times.length === 0 ? now : Math.max(...times),
  }
}

/** What is no server name is left out, as a server that nobody knows is. */
function readQueries(servers: JsonObject, now: number): Map<ServerName, KeyQuery> {
  const entries = Object.entries(servers)
  if (entries.length > MAX_SERVERS) throw badJson(`"server_keys" may name ${MAX_SERVERS} servers at most`)
  const queries = new Map<ServerName, KeyQuery>()
  for (const [name, criteria] of entries) {
    const serverName = parseServerName(name)
    if (serverName !== undefined) queries.set(serverName, readCriteria(criteria, now))
  }
  return queries
}

export const bulkPerspectivesKeyQuery = defineEndpoint({
  operation: 'bulkPerspectivesKeyQuery',
  method: 'POST',
  path: '/_matrix/key/v2/query',
  auth: 'none',
  body: Type.Object({ server_keys: jsonObject }),
  run: async (hs, { body, ip }) => {
    const queries = readQueries(body.server_keys as JsonObject, hs.clock.now())
    return { server_keys: await answer(hs, queries, ip) }
  },
})
