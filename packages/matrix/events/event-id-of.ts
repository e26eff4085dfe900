import { badJson } from '../errors/matrix-error.ts'
import { isEventIdOf } from '../ids/event-id.ts'
import type { EventId } from '../ids/ids.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { toStandardBase64 } from '../signing/base64.ts'
import type { Pdu, Sha256 } from './pdu.ts'
import { referenceHash } from './reference-hash.ts'

/**
 * The id of an event: the one it carries (room versions 1 and 2), or its reference hash. Later versions ignore
 * an `event_id` that a sender put in. @throws MatrixError M_BAD_JSON when versions 1 and 2 find none.
 */
export function eventIdOf(rules: RoomVersionRules, pdu: Pdu, sha256: Sha256): EventId {
  return rules.eventId === 'embedded'
    ? embeddedId(rules, pdu)
    : eventIdOfHash(rules, referenceHash(rules, pdu, sha256))
}

/** The event id that a reference hash (unpadded base64url) makes, in room version 3 and later. */
export function eventIdOfHash(rules: RoomVersionRules, hash: string): EventId {
  return `$${rules.eventId === 'base64' ? toStandardBase64(hash) : hash}` as EventId
}

function embeddedId(rules: RoomVersionRules, pdu: Pdu): EventId {
  if (isEventIdOf(rules, pdu.event_id)) return pdu.event_id
  throw badJson(`Events in rooms of version ${rules.version} must carry an event_id like $id:server.name`)
}
