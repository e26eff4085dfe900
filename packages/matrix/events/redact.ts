import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { JsonObject, Pdu } from './pdu.ts'

/** Keys of the event that survive redaction, in canonical order. `signatures` survives too, see `redactPdu`. */
const KEPT_V11 = [
  'auth_events',
  'content',
  'depth',
  'event_id',
  'hashes',
  'origin_server_ts',
  'prev_events',
  'room_id',
  'sender',
  'state_key',
  'type',
] as const
const KEPT_BEFORE_V11 = [...KEPT_V11, 'membership', 'origin', 'prev_state'].toSorted()

const POWER_LEVEL_KEYS = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
]

/**
 * The event with all removed that the protocol can do without; its id and signatures stay valid. `unsigned` goes
 * too. Applying it twice changes nothing. https://spec.matrix.org/v1.19/client-server-api/#redactions and the
 * section "Redactions" of each room version.
 */
export function redactPdu(rules: RoomVersionRules, pdu: Pdu): Pdu {
  return { ...essentialKeys(rules, pdu), signatures: pdu.signatures } as Pdu
}

/** The redacted event without `signatures`: what is signed, and what the event id is the hash of. */
export function essentialKeys(rules: RoomVersionRules, pdu: Pdu): JsonObject {
  const kept: JsonObject = {}
  for (const key of rules.redactionV11 ? KEPT_V11 : KEPT_BEFORE_V11) {
    if (key === 'content') kept['content'] = redactContent(rules, pdu.type, pdu.content)
    else if (Object.hasOwn(pdu, key)) kept[key] = pdu[key] as JsonObject
  }
  return kept
}

/** What redaction leaves of the content of an event of this type; the same object where that is all of it. */
export function redactContent(rules: RoomVersionRules, type: string, content: JsonObject): JsonObject {
  if (type === 'm.room.create' && rules.redactionV11) return content
  const kept = pick(content, keptContentKeys(rules, type))
  return type === 'm.room.member' && rules.redactionV11 ? keepSignedInvite(content, kept) : kept
}

function keptContentKeys(rules: RoomVersionRules, type: string): readonly string[] {
  switch (type) {
    case 'm.room.member':
      return rules.redactionKeepsAuthorisedVia
        ? ['join_authorised_via_users_server', 'membership']
        : ['membership']
    case 'm.room.create':
      return ['creator']
    case 'm.room.join_rules':
      return rules.redactionKeepsAllow ? ['allow', 'join_rule'] : ['join_rule']
    case 'm.room.power_levels':
      return rules.redactionV11 ? [...POWER_LEVEL_KEYS, 'invite'] : POWER_LEVEL_KEYS
    case 'm.room.aliases':
      return rules.aliasesSpecial ? ['aliases'] : []
    case 'm.room.history_visibility':
      return ['history_visibility']
    case 'm.room.redaction':
      return rules.redactionV11 ? ['redacts'] : []
    default:
      return []
  }
}

/** Version 11: of `third_party_invite`, `signed` stays. An object without it stays as an empty object. */
function keepSignedInvite(content: JsonObject, kept: JsonObject): JsonObject {
  const invite = content['third_party_invite']
  if (typeof invite !== 'object' || invite === null || Array.isArray(invite)) return kept
  return { ...kept, third_party_invite: pick(invite, ['signed']) }
}

function pick(source: JsonObject, keys: readonly string[]): JsonObject {
  const picked: JsonObject = {}
  for (const key of keys) if (Object.hasOwn(source, key)) picked[key] = source[key]!
  return picked
}
