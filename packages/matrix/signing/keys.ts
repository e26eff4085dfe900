import type { KeyId, ServerName } from '../ids/ids.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'

/** A server's public key as its owner or a notary published it. */
export interface VerifyKey {
  /** Ed25519, 32 bytes in unpadded base64. */
  readonly publicKey: string
  /**
   * Milliseconds since 1970 until which a current key may be trusted. The keyring sets the lesser of what was
   * published and seven days from when it was fetched.
   */
  readonly validUntilTs: number
  /** Set on old keys: when the owner stopped using it. */
  readonly expiredTs?: number
}

/** A key of a server, or undefined when it is not known. */
export type FindVerifyKey = (serverName: ServerName, keyId: KeyId) => VerifyKey | undefined

/**
 * Whether a key may have signed an event of that time. An old key never counts for what is dated after it was
 * retired; from room version 5 on, a current key counts until `validUntilTs`.
 * https://spec.matrix.org/v1.19/rooms/v5/#signing-key-validity-period
 */
export function isKeyValidAt(rules: RoomVersionRules, key: VerifyKey, originServerTs: number): boolean {
  if (key.expiredTs !== undefined) return originServerTs <= key.expiredTs
  return !rules.keyValidityEnforced || originServerTs <= key.validUntilTs
}
