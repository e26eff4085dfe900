import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject, parseJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Database } from '@causeway/store/db/database.ts'
import {
  listCrossSigningKeys,
  listKeySignatures,
  type CrossSigningRow,
  type KeySignatureRow,
} from '@causeway/store/tables/cross-signing.ts'
import { listDeviceKeys, type DeviceKeysRow } from '@causeway/store/tables/device-keys.ts'

/** The part of an answer to `/keys/query` that this server knows itself. */
export interface Identities extends JsonObject {
  device_keys: JsonObject
  master_keys: JsonObject
  self_signing_keys: JsonObject
  user_signing_keys: JsonObject
}

/**
 * Device and cross-signing keys of users of ours, with the signatures on them that `viewer` may see. Every user
 * asked for is in `device_keys`, so that a client learns that somebody has no devices. Three queries.
 * @param wanted the devices asked for by user; undefined: all
 */
export async function readIdentities(
  db: Database,
  wanted: ReadonlyMap<UserId, ReadonlySet<string> | undefined>,
  viewer: UserId,
): Promise<Identities> {
  const userIds = [...wanted.keys()]
  const [devices, keys, signatures] = await Promise.all([
    listDeviceKeys(db, userIds),
    listCrossSigningKeys(db, userIds),
    listKeySignatures(db, userIds, viewer),
  ])
  return renderIdentities(wanted, { devices, keys, signatures }, viewer)
}

/** What is known of several users. */
export interface IdentityRows {
  readonly devices: readonly DeviceKeysRow[]
  readonly keys: readonly CrossSigningRow[]
  /** Signatures that were added to keys later. */
  readonly signatures: readonly KeySignatureRow[]
}

/** The same of rows that were read, or fetched from elsewhere. */
export function renderIdentities(
  wanted: ReadonlyMap<UserId, ReadonlySet<string> | undefined>,
  { devices, keys, signatures }: IdentityRows,
  viewer: UserId,
): Identities {
  const added = groupSignatures(signatures)
  const ofPurpose = (purpose: CrossSigningRow['purpose']): JsonObject =>
    Object.fromEntries(
      keys
        .filter((row) => row.purpose === purpose && (purpose !== 'user_signing' || row.user_id === viewer))
        .map((row) => [
          row.user_id,
          withSignatures(row.json, added.get(targetKey(row.user_id, row.public_key))),
        ]),
    )
  return {
    device_keys: devicesByUser(wanted, devices, added),
    master_keys: ofPurpose('master'),
    self_signing_keys: ofPurpose('self_signing'),
    user_signing_keys: ofPurpose('user_signing'),
  }
}

/** Two answers about different users as one. */
export function mergeIdentities(a: Identities, b: Identities): Identities {
  return {
    device_keys: { ...a.device_keys, ...b.device_keys },
    master_keys: { ...a.master_keys, ...b.master_keys },
    self_signing_keys: { ...a.self_signing_keys, ...b.self_signing_keys },
    user_signing_keys: { ...a.user_signing_keys, ...b.user_signing_keys },
  }
}

type AddedSignatures = ReadonlyMap<string, readonly KeySignatureRow[]>

function targetKey(userId: string, target: string): string {
  return `${userId}|${target}`
}

function groupSignatures(rows: readonly KeySignatureRow[]): AddedSignatures {
  return Map.groupBy(rows, (row) => targetKey(row.user_id, row.target))
}

function devicesByUser(
  wanted: ReadonlyMap<UserId, ReadonlySet<string> | undefined>,
  rows: readonly DeviceKeysRow[],
  added: AddedSignatures,
): JsonObject {
  const users = new Map<string, [string, JsonObject][]>([...wanted.keys()].map((userId) => [userId, []]))
  for (const row of rows) {
    const ids = wanted.get(row.user_id as UserId)
    if (ids !== undefined && !ids.has(row.device_id)) continue
    const keys = withSignatures(row.json, added.get(targetKey(row.user_id, row.device_id)))
    const unsigned = row.display_name ? { device_display_name: row.display_name } : {}
    users.get(row.user_id)!.push([row.device_id, { ...keys, unsigned }])
  }
  return Object.fromEntries([...users].map(([userId, devices]) => [userId, Object.fromEntries(devices)]))
}

/** A stored key with the signatures that were added to it later. */
export function withSignatures(json: string, added: readonly KeySignatureRow[] | undefined): JsonObject {
  const key = parseJsonObject(json)
  if (added === undefined) return key
  const own = isJsonObject(key['signatures']) ? key['signatures'] : {}
  const bySigner = new Map(Object.entries(own))
  for (const { signer, signer_key_id: keyId, signature } of added) {
    const held = bySigner.get(signer)
    bySigner.set(signer, { ...(isJsonObject(held) ? held : {}), [keyId]: signature })
  }
  return { ...key, signatures: Object.fromEntries(bySigner) }
}
