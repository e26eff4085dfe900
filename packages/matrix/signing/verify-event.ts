import { MatrixError } from '../errors/matrix-error.ts'
import { hasValidContentHash } from '../events/content-hash.ts'
import { eventIdOfHash } from '../events/event-id-of.ts'
import type { Pdu, Sha256, VerifySignature } from '../events/pdu.ts'
import { redactPdu } from '../events/redact.ts'
import { signedText } from '../events/reference-hash.ts'
import type { EventId, KeyId, ServerName } from '../ids/ids.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { isKeyValidAt, type FindVerifyKey } from './keys.ts'
import { requiredSigners } from './required-signers.ts'
import { signingKeyIdsOf, verifyText } from './verify-json.ts'

/**
 * `valid`: as sent. `redacted`: signed, but the content hash is wrong; `pdu` is the redacted copy to go on with.
 * `invalid`: to be dropped, and why.
 */
export type EventVerdict =
  | { readonly outcome: 'valid' | 'redacted'; readonly eventId: EventId; readonly pdu: Pdu }
  | { readonly outcome: 'invalid'; readonly reason: string }

export interface VerifyDeps {
  readonly sha256: Sha256
  readonly verify: VerifySignature
  readonly findKey: FindVerifyKey
}

/**
 * Second and third check on receipt, of an event that passed `checkFormat`: signatures of every server that must
 * have signed, then the content hash. Keys are looked up and never fetched: see `keysToVerify`.
 * https://spec.matrix.org/v1.19/server-server-api/#validating-hashes-and-signatures-on-received-events
 */
export function verifyEvent(rules: RoomVersionRules, pdu: Pdu, deps: VerifyDeps): EventVerdict {
  try {
    const text = signedText(rules, pdu)
    const reason = signatureFault(rules, pdu, text, deps)
    if (reason !== undefined) return { outcome: 'invalid', reason }
    const eventId =
      rules.eventId === 'embedded' ? (pdu.event_id as EventId) : eventIdOfHash(rules, deps.sha256(text))
    return hasValidContentHash(rules, pdu, deps.sha256)
      ? { outcome: 'valid', eventId, pdu }
      : { outcome: 'redacted', eventId, pdu: redactPdu(rules, pdu) }
  } catch (fault) {
    if (fault instanceof MatrixError) return { outcome: 'invalid', reason: fault.message }
    throw fault
  }
}

/** The keys by which an event claims to be signed and that `verifyEvent` will ask for: fetch these first. */
export function keysToVerify(
  rules: RoomVersionRules,
  pdu: Pdu,
): { readonly serverName: ServerName; readonly keyIds: readonly KeyId[] }[] {
  const required = requiredSigners(rules, pdu)
  if (!required.ok) return []
  return required.servers.map((serverName) => ({
    serverName,
    keyIds: signingKeyIdsOf(pdu.signatures, serverName),
  }))
}

function signatureFault(
  rules: RoomVersionRules,
  pdu: Pdu,
  text: string,
  deps: VerifyDeps,
): string | undefined {
  const required = requiredSigners(rules, pdu)
  if (!required.ok) return required.reason
  for (const serverName of required.servers) {
    const findKey = (keyId: KeyId): string | undefined => {
      const key = deps.findKey(serverName, keyId)
      return key !== undefined && isKeyValidAt(rules, key, pdu.origin_server_ts) ? key.publicKey : undefined
    }
    const verdict = verifyText(text, pdu.signatures, serverName, findKey, deps.verify)
    if (!verdict.ok) return verdict.reason
  }
  return undefined
}
