import { canonicalJsonWithout } from '../json/canonical.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { decodeBase64, toStandardBase64 } from '../signing/base64.ts'
import type { Pdu, Sha256 } from './pdu.ts'

const NOT_HASHED = ['hashes', 'signatures', 'unsigned']

/**
 * The content hash, unpadded base64: over the whole event but `unsigned`, `signatures` and `hashes`.
 * https://spec.matrix.org/v1.19/server-server-api/#calculating-the-content-hash-for-an-event
 * @throws MatrixError M_BAD_JSON when the event has no canonical form in its room version.
 */
export function contentHash(rules: RoomVersionRules, pdu: Pdu, sha256: Sha256): string {
  return toStandardBase64(sha256(canonicalJsonWithout(pdu, NOT_HASHED, rules.strictCanonicalJson)))
}

/**
 * Whether the event is as its sender made it. Where it is not, it may be a redacted copy, and is to be treated
 * as one. The hashes are compared as bytes, since base64 has more than one spelling.
 */
export function hasValidContentHash(rules: RoomVersionRules, pdu: Pdu, sha256: Sha256): boolean {
  const claimed = pdu.hashes.sha256
  const actual = contentHash(rules, pdu, sha256)
  return claimed === actual || sameBytes(decodeBase64(claimed), decodeBase64(actual))
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false
  return a.every((byte, index) => byte === b[index])
}
