import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { VerifyKey } from '@causeway/matrix/signing/keys.ts'
import type { ServerKeyRow } from '@causeway/store/tables/server-keys.ts'
import type { KeyDocument, PublishedKey } from './key-document.ts'

/** A key of another server as it is held in memory and in its table. */
export type HeldKey = ServerKeyRow

/** Every key that is known of one server. Never mutated. */
export type HeldKeys = ReadonlyMap<KeyId, HeldKey>

/** A key is not believed for longer than this from when it was fetched, whatever its owner says. */
const MAX_VALID_MS = 7 * 24 * 60 * 60_000

/** Keys that somebody wants of one server. */
export interface Want {
  readonly keyIds: ReadonlySet<KeyId>
  readonly validAt: number
}

export function toHeldKey(
  document: KeyDocument,
  key: PublishedKey,
  now: number,
  notary: ServerName | undefined,
): HeldKey {
  return {
    serverName: document.serverName,
    keyId: key.keyId,
    publicKey: key.publicKey,
    validUntilTs: Math.min(document.validUntilTs, now + MAX_VALID_MS),
    expiredTs: key.expiredTs,
    fetchedTs: now,
    notary: notary ?? '',
  }
}

export function toVerifyKey({ publicKey, validUntilTs, expiredTs }: HeldKey): VerifyKey {
  return expiredTs === 0 ? { publicKey, validUntilTs } : { publicKey, validUntilTs, expiredTs }
}

/**
 * Whether what was just learnt takes the place of what was known: always when its owner says so; a notary's word
 * only when it is newer.
 */
export function supersedes(learnt: HeldKey, known: HeldKey | undefined): boolean {
  if (known === undefined || learnt.notary === '') return true
  return learnt.validUntilTs > known.validUntilTs
}

/** Whether something of `want` is not known, or no longer valid at the time in question. */
export function isLacking(held: HeldKeys, { keyIds, validAt }: Want): boolean {
  for (const keyId of keyIds) {
    const key = held.get(keyId)
    if (key === undefined) return true
    if (key.expiredTs === 0 && key.validUntilTs < validAt) return true
  }
  return false
}

/** Estimated bytes in memory. */
export function weighKeys(held: HeldKeys, serverName: string): number {
  let bytes = 2 * serverName.length + 200
  for (const { keyId, publicKey } of held.values()) bytes += 2 * (keyId.length + publicKey.length) + 150
  return bytes
}
