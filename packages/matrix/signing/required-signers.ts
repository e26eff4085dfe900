import type { JsonObject, Pdu } from '../events/pdu.ts'
import { eventIdServerName } from '../ids/event-id.ts'
import type { ServerName } from '../ids/ids.ts'
import { isUserId, serverNameOf } from '../ids/user-id.ts'
import { isJsonObject } from '../json/parse.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'

export type RequiredSigners =
  | { readonly ok: true; readonly servers: readonly ServerName[] }
  | { readonly ok: false; readonly reason: string }

/**
 * The servers that must have signed an event: the sender's, unless it is an invite by a third party; in room
 * versions 1 and 2 also the one in its id; from version 8 on also the server of
 * `join_authorised_via_users_server`. Refused when such a server cannot be told.
 * https://spec.matrix.org/v1.19/server-server-api/#validating-hashes-and-signatures-on-received-events
 */
export function requiredSigners(rules: RoomVersionRules, pdu: Pdu): RequiredSigners {
  const servers = new Set<ServerName>()
  if (!isThirdPartyInvite(pdu)) servers.add(serverNameOf(pdu.sender))
  if (rules.eventId === 'embedded') {
    const server = pdu.event_id === undefined ? undefined : eventIdServerName(pdu.event_id)
    if (server === undefined) return { ok: false, reason: 'event_id names no server' }
    servers.add(server)
  }
  if (rules.restrictedJoins && pdu.type === 'm.room.member') {
    const authoriser = pdu.content['join_authorised_via_users_server']
    if (authoriser !== undefined && !isUserId(authoriser)) {
      return { ok: false, reason: 'join_authorised_via_users_server must be a user id' }
    }
    if (authoriser !== undefined) servers.add(serverNameOf(authoriser))
  }
  return { ok: true, servers: [...servers] }
}

/**
 * An invite that follows from a third-party invite: another server than the sender's may have made it, and the
 * authorisation rules check the signature inside it instead. One without such a signature gets no exemption.
 */
function isThirdPartyInvite(pdu: Pdu): boolean {
  if (pdu.type !== 'm.room.member' || pdu.content['membership'] !== 'invite') return false
  const invite: unknown = pdu.content['third_party_invite']
  return isJsonObject(invite) && isSigned(invite['signed'])
}

function isSigned(signed: unknown): signed is JsonObject {
  return (
    isJsonObject(signed) &&
    typeof signed['mxid'] === 'string' &&
    typeof signed['token'] === 'string' &&
    isJsonObject(signed['signatures'])
  )
}
