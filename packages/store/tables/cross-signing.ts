import type { Database, Row, Statement, Step, TableShape, WriteValue } from '../db/database.ts'
import { queryForUsers } from './query-for-users.ts'

export type KeyPurpose = 'master' | 'self_signing' | 'user_signing'

const CROSS_SIGNING_KEYS: TableShape = {
  name: 'cross_signing_keys',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'purpose', type: 'text' },
    { name: 'public_key', type: 'text' },
    { name: 'json', type: 'text' },
  ],
}
/** The same table: here the new row wins. */
const REPLACED_KEYS: TableShape = {
  ...CROSS_SIGNING_KEYS,
  onConflict: { key: ['user_id', 'purpose'], action: 'replace' },
}

const CROSS_SIGNING_GRANTS: TableShape = {
  name: 'cross_signing_grants',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'until_ts', type: 'int' },
  ],
  onConflict: { key: ['user_id'], action: 'replace' },
}

const KEY_SIGNATURES: TableShape = {
  name: 'key_signatures',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'target', type: 'text' },
    { name: 'signer', type: 'text' },
    { name: 'signer_key_id', type: 'text' },
    { name: 'signature', type: 'text' },
    { name: 'position', type: 'int' },
  ],
  onConflict: { key: ['user_id', 'target', 'signer', 'signer_key_id'], action: 'replace' },
}

export interface CrossSigningRow extends Row {
  user_id: string
  purpose: KeyPurpose
  /** Unpadded base64. */
  public_key: string
  /** Canonical JSON, as uploaded but without `unsigned`. */
  json: string
}

export interface KeySignatureRow extends Row {
  user_id: string
  /** A device id, or the public key of a cross-signing key. */
  target: string
  signer: string
  signer_key_id: string
  signature: string
}

/** Cross-signing keys of several users. One query. */
export function listCrossSigningKeys(db: Database, userIds: readonly string[]): Promise<CrossSigningRow[]> {
  return queryForUsers(
    db,
    'SELECT user_id, purpose, public_key, json FROM cross_signing_keys WHERE user_id IN (?text[])',
    userIds,
  )
}

/** Signatures on the keys of several users that `viewer` may see: the owners' and their own. */
export function listKeySignatures(
  db: Database,
  userIds: readonly string[],
  viewer: string,
): Promise<KeySignatureRow[]> {
  return queryForUsers(
    db,
    `SELECT user_id, target, signer, signer_key_id, signature FROM key_signatures
     WHERE user_id IN (?text[]) AND (signer = user_id OR signer = ?)`,
    userIds,
    viewer,
  )
}

/** Other users whose keys `signer` signed in (after, upTo]. */
export async function listSignedUsers(
  db: Database,
  signer: string,
  range: { readonly after: number; readonly upTo: number },
): Promise<string[]> {
  const rows = await db.query<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM key_signatures
     WHERE signer = ? AND position > ? AND position <= ? AND user_id <> ?`,
    [signer, range.after, range.upTo, signer],
  )
  return rows.map((row) => row.user_id)
}

/** @param isNew refused (`conflict`) when the user has a key of this purpose by now */
export function setCrossSigningKey(row: CrossSigningRow, isNew: boolean): Step {
  const { user_id: userId, purpose, public_key: publicKey, json } = row
  return { into: isNew ? CROSS_SIGNING_KEYS : REPLACED_KEYS, values: [userId, purpose, publicKey, json] }
}

/** For the write that makes a device: refused (`precondition`) when a cross-signing key of its owner has that name. */
export function requireNoKeyNamed(userId: string, deviceId: string): Statement {
  return {
    sql: `SELECT 1 AS is_free
      WHERE NOT EXISTS (SELECT 1 FROM cross_signing_keys WHERE user_id = ? AND public_key = ?)`,
    params: [userId, deviceId],
    expectRows: 1,
  }
}

/** Until then the user may replace their keys without giving their password, once. */
export function grantReplacement(userId: string, untilTs: number): Step {
  return { into: CROSS_SIGNING_GRANTS, values: [userId, untilTs] }
}

export async function hasReplacementGrant(db: Database, userId: string, now: number): Promise<boolean> {
  const rows = await db.query(
    'SELECT 1 AS one FROM cross_signing_grants WHERE user_id = ? AND until_ts > ?',
    [userId, now],
  )
  return rows.length > 0
}

export function endReplacementGrant(userId: string): Step {
  return { sql: 'DELETE FROM cross_signing_grants WHERE user_id = ?', params: [userId] }
}

/** Removes a key and the signatures on it. */
export function deleteCrossSigningKey(row: CrossSigningRow): Step[] {
  return [
    {
      sql: 'DELETE FROM cross_signing_keys WHERE user_id = ? AND purpose = ? AND public_key = ?',
      params: [row.user_id, row.purpose, row.public_key],
    },
    deleteSignaturesOn(row.user_id, row.public_key),
  ]
}

export function deleteSignaturesOn(userId: string, target: string): Step {
  return { sql: 'DELETE FROM key_signatures WHERE user_id = ? AND target = ?', params: [userId, target] }
}

export function setKeySignature(row: KeySignatureRow, position: WriteValue): Step {
  return {
    into: KEY_SIGNATURES,
    values: [row.user_id, row.target, row.signer, row.signer_key_id, row.signature, position],
  }
}
