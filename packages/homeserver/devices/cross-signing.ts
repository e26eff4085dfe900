// https://spec.matrix.org/v1.19/client-server-api/#cross-signing
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { badJson, forbidden, MatrixError, missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { canonicalJsonWithout } from '@causeway/matrix/json/canonical.ts'
import { decodeBase64, encodeBase64 } from '@causeway/matrix/signing/base64.ts'
import { verifyJson } from '@causeway/matrix/signing/verify-json.ts'
import {
  deleteCrossSigningKey,
  endReplacementGrant,
  listCrossSigningKeys,
  setCrossSigningKey,
  type CrossSigningRow,
  type KeyPurpose,
} from '@causeway/store/tables/cross-signing.ts'
import { listDeviceIds } from '@causeway/store/tables/device-keys.ts'
import { verifySignature } from '../crypto/verify.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceListChange } from './device-list-entry.ts'

/** A cross-signing key as a client uploads it. */
export interface UploadedKey extends JsonObject {
  user_id: string
  usage: string[]
  keys: Record<string, string>
}

export type UploadedKeys = Partial<Record<KeyPurpose, UploadedKey>>

/** Keys that passed every check, and those there were before. */
export interface KeyChange {
  readonly userId: UserId
  readonly uploaded: readonly CrossSigningRow[]
  /** Only those that differ from what is stored. */
  readonly changed: readonly CrossSigningRow[]
  readonly stored: readonly CrossSigningRow[]
  /** There were keys, so that the owner has to confirm that they are to be replaced. */
  readonly replaces: boolean
}

type Deps = Pick<Homeserver, 'db' | 'log'>

const KEY_BYTES = 32
const MAX_KEY_LENGTH = 20_000

/**
 * Checks cross-signing keys: form, owner, use, and that the other two are signed by the master key, uploaded or
 * stored. Throws `M_BAD_JSON`, `M_INVALID_SIGNATURE`, `M_MISSING_PARAM` without a master key, and `M_FORBIDDEN`
 * for a key that has the name of a device.
 */
export async function checkCrossSigningKeys(
  hs: Deps,
  userId: UserId,
  uploaded: UploadedKeys,
): Promise<KeyChange> {
  const stored = await listCrossSigningKeys(hs.db, [userId])
  const rows = (Object.entries(uploaded) as [KeyPurpose, UploadedKey][]).map(([purpose, key]) => ({
    key,
    row: toCrossSigningRow(userId, purpose, key),
  }))
  const master = [...rows.map(({ row }) => row), ...stored].find((row) => row.purpose === 'master')
  if (master === undefined)
    throw missingParam('There is no master key; upload one first, or together with these')
  for (const { key, row } of rows) if (row.purpose !== 'master') checkSigned(key, row, master)
  const devices = new Set((await listDeviceIds(hs.db, [userId])).map((device) => device.device_id))
  if (rows.some(({ row }) => devices.has(row.public_key))) {
    throw forbidden('A cross-signing key must not have the name of one of your devices')
  }
  const texts = new Set(stored.map((row) => row.json))
  return {
    userId,
    stored,
    uploaded: rows.map(({ row }) => row),
    changed: rows.map(({ row }) => row).filter((row) => !texts.has(row.json)),
    replaces: stored.some((row) => row.purpose === 'master'),
  }
}

/** The row of a key, whose form is checked. Throws `M_BAD_JSON`. */
export function toCrossSigningRow(userId: UserId, purpose: KeyPurpose, key: UploadedKey): CrossSigningRow {
  const name = `${purpose}_key`
  if (key.user_id !== userId) throw badJson(`${name}.user_id must be your own`)
  if (!key.usage.includes(purpose)) throw badJson(`${name}.usage must contain ${purpose}`)
  const [entry, ...more] = Object.entries(key.keys)
  if (entry === undefined || more.length > 0) throw badJson(`${name}.keys must hold exactly one key`)
  const [keyId, publicKey] = entry
  const bytes = decodeBase64(publicKey)
  const isRight = bytes?.length === KEY_BYTES && encodeBase64(bytes) === publicKey
  if (!isRight || keyId !== `ed25519:${publicKey}`) {
    throw badJson(
      `${name}.keys must be of the form "ed25519:<public key>": "<public key>", in unpadded base64`,
    )
  }
  const json = canonicalJsonWithout(key, ['unsigned'])
  if (json.length > MAX_KEY_LENGTH) throw badJson(`${name} is longer than ${MAX_KEY_LENGTH} characters`)
  return { user_id: userId, purpose, public_key: publicKey, json }
}

function checkSigned(key: UploadedKey, row: CrossSigningRow, master: CrossSigningRow): void {
  const findKey = (keyId: string): string | undefined =>
    keyId === `ed25519:${master.public_key}` ? master.public_key : undefined
  const verdict = verifyJson(key, row.user_id, findKey, verifySignature)
  if (verdict.ok) return
  const reason = `${row.purpose}_key must be signed by the master key: ${verdict.reason}`
  throw new MatrixError('M_INVALID_SIGNATURE', reason)
}

/**
 * Stores keys that were checked, and confirmed where they replace others; everybody who shares a room learns of
 * it. With the master key go the keys that it signed. False when somebody else stored keys meanwhile.
 */
export async function storeCrossSigningKeys(hs: Deps, change: KeyChange): Promise<boolean> {
  const { userId, changed, replaces } = change
  if (changed.length === 0) return true
  const companions = deviceListChange(userId, {
    // The user-signing key is nobody else's business.
    crossSigning: changed.some((row) => row.purpose !== 'user_signing'),
  })
  const result = await hs.log.append({
    entries: companions.entries,
    steps: [
      ...outdated(change).flatMap(deleteCrossSigningKey),
      ...changed.map((row) => setCrossSigningKey(row, !replaces)),
      ...(replaces ? [endReplacementGrant(userId)] : []),
      ...companions.steps,
    ],
  })
  return result.ok
}

/** Stored keys that have a successor, or whose master key has one. */
function outdated({ uploaded, stored }: KeyChange): CrossSigningRow[] {
  const uploadedKeys = new Set(uploaded.map((row) => row.public_key))
  const gone = stored.filter((row) => !uploadedKeys.has(row.public_key))
  const purposes = new Set(uploaded.map((row) => row.purpose))
  const endsAll = purposes.has('master') && gone.some((row) => row.purpose === 'master')
  return endsAll ? gone : gone.filter((row) => purposes.has(row.purpose))
}
