import type { JsonObject, Pdu, Signatures, Signer } from '../events/pdu.ts'
import { signedText } from '../events/reference-hash.ts'
import { canonicalJsonWithout } from '../json/canonical.ts'
import { isJsonObject } from '../json/parse.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'

const NOT_SIGNED = ['signatures', 'unsigned']

/** What a signature of a JSON object covers: its canonical JSON without `signatures` and `unsigned`. */
export function jsonSigningText(object: object): string {
  return canonicalJsonWithout(object, NOT_SIGNED)
}

/**
 * The object with the signer's signature added to those it has. Not for events, see `signEvent`.
 * https://spec.matrix.org/v1.19/appendices/#signing-details
 * @throws MatrixError M_BAD_JSON when it has no canonical form.
 */
export function signJson(object: JsonObject, signer: Signer): JsonObject & { signatures: Signatures } {
  const present = isJsonObject(object['signatures']) ? (object['signatures'] as Signatures) : {}
  return { ...object, signatures: addSignature(present, signer, signer.sign(jsonSigningText(object))) }
}

/**
 * The event with the signer's signature added; what is signed is its redacted form, so that it still verifies
 * once it is redacted. https://spec.matrix.org/v1.19/server-server-api/#signing-events
 */
export function signEvent(rules: RoomVersionRules, pdu: Pdu, signer: Signer): Pdu {
  return { ...pdu, signatures: addSignature(pdu.signatures, signer, signer.sign(signedText(rules, pdu))) }
}

function addSignature(present: Signatures, signer: Signer, signature: string): Signatures {
  const own = Object.hasOwn(present, signer.serverName) ? present[signer.serverName] : {}
  return { ...present, [signer.serverName]: { ...own, [signer.keyId]: signature } }
}
