import fc from 'fast-check'
import type { EventDraft } from '@causeway/matrix/events/build.ts'
import type { JsonObject, JsonValue, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { findRoomVersion, SPECIFIED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'

/** The rules of any room version of the specification; those of proposals differ from them in authorization alone. */
export const anyRules: fc.Arbitrary<RoomVersionRules> = fc.constantFrom(
  ...SPECIFIED_ROOM_VERSIONS.map((version) => findRoomVersion(version)!),
)

/** Unicode text of every plane, with the characters whose order or escaping goes wrong most easily. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom('', '__proto__', 'constructor', '10', '9', '\uffff', '\ue000', '\u{10000}', '\u{1f600}'),
  fc.constantFrom('\u2028', '\u0000', '\u001f', '\u007f', '"', '\\', 'a\nb', 'é'),
)

/** JSON that every room version can write: integers in range, no lone surrogates. */
export const anyJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue; object: JsonObject }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), anyText),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('object'),
    ),
    object: objectOf(tie('value')),
  }),
).value

/** Any JSON object, `__proto__` and integer-like keys among its keys. */
export const anyJsonObject: fc.Arbitrary<JsonObject> = objectOf(anyJson)

function objectOf(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> {
  return fc
    .uniqueArray(fc.tuple(anyText, value), { maxLength: 6, selector: ([key]) => key })
    .map((entries) => Object.fromEntries(entries))
}

const PROTECTED_TYPES = [
  'm.room.aliases',
  'm.room.create',
  'm.room.history_visibility',
  'm.room.join_rules',
  'm.room.member',
  'm.room.message',
  'm.room.power_levels',
  'm.room.redaction',
]

/** Keys that some redaction rule keeps, and a few that none does. */
const NOTABLE_KEYS = [
  ...['aliases', 'allow', 'ban', 'creator', 'events', 'history_visibility', 'invite', 'join_rule', 'kick'],
  ...['join_authorised_via_users_server', 'membership', 'redact', 'redacts', 'third_party_invite', 'users'],
  ...['body', 'room_version', 'url'],
]

const anyContent: fc.Arbitrary<JsonObject> = fc
  .tuple(fc.dictionary(fc.constantFrom(...NOTABLE_KEYS), anyJson, { maxKeys: 6 }), anyJsonObject)
  .map(([notable, other]) => ({ ...other, ...notable }))

const anyHash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true }))

/** Event type of any kind. */
const anyType = fc.oneof(fc.constantFrom(...PROTECTED_TYPES), fc.string({ maxLength: 20 }))

/** A draft that `buildEvent` accepts in rooms of these rules. */
export function anyDraft(rules: RoomVersionRules): fc.Arbitrary<EventDraft> {
  const id = anyHash.map(
    (hash) => (rules.eventId === 'embedded' ? `$${hash}:example.org` : `$${hash}`) as EventId,
  )
  const base = fc.record(
    {
      type: anyType,
      sender: fc.constantFrom('@alice:example.org' as UserId, '@Ünï "quoted":example.org:8448' as UserId),
      content: anyContent,
      stateKey: anyText,
      roomId: anyHash.map((hash) => (rules.roomIdIsCreateHash ? `!${hash}` : '!room:example.org') as RoomId),
      redacts: id,
      stickyMs: fc.nat({ max: 3_600_000 }),
      originServerTs: fc.nat({ max: 4_102_444_800_000 }),
      depth: fc.nat(),
      prevEventIds: fc.array(id, { maxLength: 3 }),
      authEventIds: fc.array(id, { maxLength: 4 }),
    },
    {
      requiredKeys: [
        'type',
        'sender',
        'content',
        'roomId',
        'originServerTs',
        'depth',
        'prevEventIds',
        'authEventIds',
      ],
    },
  ) as fc.Arbitrary<EventDraft>
  if (rules.eventId !== 'embedded') return base
  return fc.tuple(base, id).map(([draft, eventId]) => {
    const referenceHashes = new Map(
      [...draft.prevEventIds, ...draft.authEventIds].map((ref) => [ref, 'h'] as const),
    )
    return { ...draft, eventId, referenceHashes }
  })
}

/** A PDU of another server: what the format asks for, and unknown keys of every kind beside it. */
export const anyPdu: fc.Arbitrary<Pdu> = fc
  .tuple(
    anyJsonObject,
    fc.dictionary(fc.constantFrom('origin', 'membership', 'prev_state', 'redacts', 'age'), anyJson),
    fc.record({
      type: anyType,
      sender: fc.constant('@alice:example.org'),
      room_id: fc.constant('!room:example.org'),
      content: anyContent,
      origin_server_ts: fc.nat(),
      depth: fc.nat(),
      prev_events: fc.constant([]),
      auth_events: fc.constant([]),
      hashes: anyHash.map((hash) => ({ sha256: hash })),
      signatures: fc.constant({ 'example.org': { 'ed25519:1': 'c2ln' } }),
      unsigned: anyJsonObject,
    }),
  )
  .map(([unknown, notable, known]) => ({ ...unknown, ...notable, ...known }) as unknown as Pdu)
