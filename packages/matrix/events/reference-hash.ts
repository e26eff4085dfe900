import { canonicalJson } from '../json/canonical.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { Pdu, Sha256 } from './pdu.ts'
import { essentialKeys } from './redact.ts'

/**
 * The canonical JSON of the redacted event without `signatures` and `unsigned`. Both the reference hash and every
 * signature are made over this very text. https://spec.matrix.org/v1.19/server-server-api/#signing-events
 * @throws MatrixError M_BAD_JSON when the event has no canonical form in its room version.
 */
export function signedText(rules: RoomVersionRules, pdu: Pdu): string {
  return canonicalJson(essentialKeys(rules, pdu), rules.strictCanonicalJson)
}

/**
 * The reference hash, unpadded base64url.
 * https://spec.matrix.org/v1.19/server-server-api/#calculating-the-reference-hash-for-an-event
 */
export function referenceHash(rules: RoomVersionRules, pdu: Pdu, sha256: Sha256): string {
  return sha256(signedText(rules, pdu))
}
