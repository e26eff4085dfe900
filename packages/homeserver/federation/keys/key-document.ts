import type { JsonObject, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerKeyId } from '@causeway/matrix/ids/key-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { decodeBase64 } from '@causeway/matrix/signing/base64.ts'
import { verifyJson } from '@causeway/matrix/signing/verify-json.ts'

/** A key as its owner publishes it. */
export interface PublishedKey {
  readonly keyId: KeyId
  /** Unpadded base64. */
  readonly publicKey: string
  /** Milliseconds; 0: it is in use. */
  readonly expiredTs: number
}

/** A document of keys whose signature was verified. https://spec.matrix.org/v1.19/server-server-api/#publishing-keys */
export interface KeyDocument {
  readonly serverName: ServerName
  readonly validUntilTs: number
  readonly keys: readonly PublishedKey[]
  /** As its owner signed it, without signatures of others. */
  readonly json: JsonObject
}

/** More keys than any server has had; the rest of a longer list is not looked at. */
const MAX_KEYS = 100
const KEY_BYTES = 32

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

function readKey(keyId: string, value: unknown): { keyId: KeyId; publicKey: string } | undefined {
  if (!isServerKeyId(keyId) || !isJsonObject(value)) return undefined
  const { key } = value
  if (typeof key !== 'string' || decodeBase64(key)?.length !== KEY_BYTES) return undefined
  return { keyId, publicKey: key.replaceAll('=', '') }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isJsonObject(value) ? Object.entries(value).slice(0, MAX_KEYS) : []
}

function readKeys(document: JsonObject): PublishedKey[] {
  const current = entriesOf(document['verify_keys']).flatMap(([keyId, value]) => {
    const key = readKey(keyId, value)
    return key === undefined ? [] : [{ ...key, expiredTs: 0 }]
  })
  const ids = new Set<string>(current.map(({ keyId }) => keyId))
  const old = entriesOf(document['old_verify_keys']).flatMap(([keyId, value]) => {
    const key = readKey(keyId, value)
    const expiredTs = isJsonObject(value) ? value['expired_ts'] : undefined
    // A time of 0 would read as "in use" here; no key is that old.
    return key === undefined || !isTime(expiredTs) || expiredTs === 0 || ids.has(keyId)
      ? []
      : [{ ...key, expiredTs }]
  })
  return [...current, ...old]
}

/** The signatures of one server, as they stand in the document. */
function signaturesBy(document: JsonObject, serverName: ServerName): JsonObject {
  const all = document['signatures']
  const own = isJsonObject(all) && Object.hasOwn(all, serverName) ? all[serverName] : undefined
  return own === undefined ? {} : { [serverName]: own }
}

/**
 * Reads and verifies the keys that `serverName` published: it must be signed by one of its current keys, and no
 * signature of theirs may be wrong. Answers a sentence when it is not to be believed.
 */
export function readKeyDocument(
  value: unknown,
  serverName: ServerName,
  verify: VerifySignature,
): KeyDocument | string {
  if (!isJsonObject(value)) return 'it is no JSON object'
  if (value['server_name'] !== serverName) return 'it is of another server'
  const validUntilTs = value['valid_until_ts']
  if (!isTime(validUntilTs)) return 'it has no valid_until_ts'
  const keys = readKeys(value)
  const current = new Map(keys.filter((one) => one.expiredTs === 0).map((one) => [one.keyId, one.publicKey]))
  const verdict = verifyJson(value, serverName, (keyId) => current.get(keyId), verify)
  if (!verdict.ok) return verdict.reason
  return { serverName, validUntilTs, keys, json: { ...value, signatures: signaturesBy(value, serverName) } }
}
