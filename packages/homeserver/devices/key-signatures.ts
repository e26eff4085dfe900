// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Errcode } from '@causeway/matrix/errors/errcodes.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject, parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { jsonSigningText } from '@causeway/matrix/signing/sign-json.ts'
import { signaturesOf, verifyText } from '@causeway/matrix/signing/verify-json.ts'
import type { Database } from '@causeway/store/db/database.ts'
import {
  listCrossSigningKeys,
  type CrossSigningRow,
  type KeyPurpose,
  type KeySignatureRow,
} from '@causeway/store/tables/cross-signing.ts'
import { listDeviceKeys } from '@causeway/store/tables/device-keys.ts'
import { verifySignature } from '../crypto/verify.ts'

/** A key that a user signed: whose it is, its name (device id or public key), and the signed object. */
export interface SignedKey {
  readonly userId: string
  readonly target: string
  readonly object: JsonObject
}

export interface SignatureFailure extends SignedKey {
  readonly errcode: Errcode
  readonly error: string
}

export interface CheckedSignatures {
  readonly valid: readonly KeySignatureRow[]
  readonly failures: readonly SignatureFailure[]
}

/** Keys by owner and name, as canonical JSON without signatures; and by which keys a signature counts. */
interface Known {
  readonly texts: ReadonlyMap<string, string>
  readonly signers: (key: SignedKey) => ReadonlyMap<string, string>
}

/**
 * Checks signatures that `signer` made: by the self-signing key on an own device, by own devices on the own
 * master key, by the user-signing key on others' master keys. Each is verified by Ed25519 and over the very key
 * that is stored; what fails is said one by one and hinders nothing else. Two queries.
 */
export async function checkKeySignatures(
  db: Database,
  signer: UserId,
  keys: readonly SignedKey[],
): Promise<CheckedSignatures> {
  const known = await readKnown(db, signer, [...new Set([signer, ...keys.map((key) => key.userId)])])
  const valid: KeySignatureRow[] = []
  const failures: SignatureFailure[] = []
  for (const key of keys) {
    try {
      valid.push(...checkOne(known, signer, key))
    } catch (fault) {
      if (!(fault instanceof MatrixError)) throw fault
      failures.push({ ...key, errcode: fault.errcode, error: fault.message })
    }
  }
  return { valid, failures }
}

function keyName(userId: string, target: string): string {
  return `${userId}|${target}`
}

async function readKnown(db: Database, signer: UserId, userIds: readonly string[]): Promise<Known> {
  const [crossSigning, devices] = await Promise.all([
    listCrossSigningKeys(db, userIds),
    listDeviceKeys(db, [signer]),
  ])
  const texts = new Map<string, string>()
  for (const row of crossSigning) {
    if (row.purpose === 'master')
      texts.set(keyName(row.user_id, row.public_key), jsonSigningText(parseJsonObject(row.json)))
  }
  const deviceKeys = new Map<string, string>()
  for (const row of devices) {
    const keys = parseJsonObject(row.json)
    texts.set(keyName(signer, row.device_id), jsonSigningText(keys))
    const keyId = `ed25519:${row.device_id}`
    const publicKey = isJsonObject(keys['keys']) ? keys['keys'][keyId] : undefined
    if (typeof publicKey === 'string') deviceKeys.set(keyId, publicKey)
  }
  const own = crossSigning.filter((row) => row.user_id === signer)
  const masterKey = own.find((row) => row.purpose === 'master')?.public_key
  return {
    texts,
    signers: ({ userId, target }) => {
      if (userId !== signer) return keyOf(own, 'user_signing')
      return target === masterKey ? deviceKeys : keyOf(own, 'self_signing')
    },
  }
}

function keyOf(rows: readonly CrossSigningRow[], purpose: KeyPurpose): ReadonlyMap<string, string> {
  const row = rows.find((one) => one.purpose === purpose)
  return new Map(row === undefined ? [] : [[`ed25519:${row.public_key}`, row.public_key]])
}

function checkOne(known: Known, signer: UserId, key: SignedKey): KeySignatureRow[] {
  const { userId, target, object } = key
  const text = known.texts.get(keyName(userId, target))
  if (text === undefined) throw new MatrixError('M_NOT_FOUND', `${userId} has no such key`)
  if (jsonSigningText(object) !== text) throw invalid('What was signed is not the key that is stored')
  const signers = known.signers(key)
  const { signatures } = object
  const verdict = verifyText(text, signatures, signer, (keyId) => signers.get(keyId), verifySignature)
  if (!verdict.ok) throw invalid(verdict.reason)
  return signaturesOf(signatures, signer)
    .filter(([keyId]) => signers.has(keyId))
    .map(([keyId, signature]) => ({
      user_id: userId,
      target,
      signer,
      signer_key_id: keyId,
      signature,
    }))
}

function invalid(reason: string): MatrixError {
  return new MatrixError('M_INVALID_SIGNATURE', reason)
}
