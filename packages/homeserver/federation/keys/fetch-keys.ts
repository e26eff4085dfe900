import type { JsonObject, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { signingKeyIdsOf, verifyJson } from '@causeway/matrix/signing/verify-json.ts'
import { FederationError, type FederationClient } from '../federation-client.ts'
import type { Want } from './held-keys.ts'
import { readKeyDocument, type KeyDocument } from './key-document.ts'

const TIMEOUT_MS = 10_000
/** A notary may have to ask the owners first. */
const NOTARY_TIMEOUT_MS = 20_000
const MAX_BYTES = 64 * 1024
const MAX_NOTARY_BYTES = 4 * 1024 * 1024

/** Asks a server for its own keys. @throws FederationError, also for a document that is not to be believed */
export async function fetchOwnersKeys(
  client: FederationClient,
  serverName: ServerName,
  verify: VerifySignature,
  evenIfBackingOff: boolean,
): Promise<KeyDocument> {
  const answer = await client.request(serverName, {
    method: 'GET',
    path: '/_matrix/key/v2/server',
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    evenIfBackingOff,
  })
  const document = readKeyDocument(answer, serverName, verify)
  if (typeof document !== 'string') return document
  throw new FederationError(serverName, { kind: 'malformed' }, `The keys of ${serverName}: ${document}`)
}

function queryBody(wants: ReadonlyMap<ServerName, Want>): JsonObject {
  const servers = [...wants].map(([serverName, { keyIds, validAt }]) => {
    const criteria = [...keyIds].map((keyId) => [keyId, { minimum_valid_until_ts: validAt }])
    return [serverName, Object.fromEntries(criteria)]
  })
  return { server_keys: Object.fromEntries(servers) as JsonObject }
}

/** Documents of a notary's answer, those that it has not signed, or that nobody has asked for, left out. */
export async function fetchFromNotary(
  client: FederationClient,
  notary: ServerName,
  wants: ReadonlyMap<ServerName, Want>,
  verify: VerifySignature,
  findNotaryKey: (keyIds: readonly KeyId[]) => Promise<(keyId: KeyId) => string | undefined>,
): Promise<KeyDocument[]> {
  const answer = await client.request(notary, {
    method: 'POST',
    path: '/_matrix/key/v2/query',
    body: queryBody(wants),
    timeoutMs: NOTARY_TIMEOUT_MS,
    maxBytes: MAX_NOTARY_BYTES,
  })
  const list = answer['server_keys']
  const documents = (Array.isArray(list) ? list : []).filter(isJsonObject)
  const keyIds = new Set(documents.flatMap((one) => signingKeyIdsOf(one['signatures'], notary)))
  const findKey = await findNotaryKey([...keyIds])
  return documents.flatMap((one) => {
    const name = typeof one['server_name'] === 'string' ? parseServerName(one['server_name']) : undefined
    if (name === undefined || !wants.has(name)) return []
    if (!verifyJson(one, notary, findKey, verify).ok) return []
    const document = readKeyDocument(one, name, verify)
    return typeof document === 'string' ? [] : [document]
  })
}
