import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyDraft, anyRules } from '@causeway/testkit/matrix/arbitraries.ts'
import { makeSigner, sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import { MatrixError } from '../errors/matrix-error.ts'
import type { EventId, RoomId, UserId } from '../ids/ids.ts'
import { canonicalJson, canonicalJsonWithout } from '../json/canonical.ts'
import { parseJsonObject } from '../json/parse.ts'
import { findRoomVersion } from '../room-versions/rules.ts'
import { signEvent } from '../signing/sign-json.ts'
import { buildEvent, spliceSignatures, type EventDraft } from './build.ts'
import { checkFormat } from './check-format.ts'
import { hasValidContentHash } from './content-hash.ts'
import { eventIdOf } from './event-id-of.ts'
import { toRoomEvent } from './make-room-event.ts'
import type { JsonObject } from './pdu.ts'
import { signedText } from './reference-hash.ts'

const signer = makeSigner('example.org', 'ed25519:a_1', 'A'.repeat(43))
const v10 = findRoomVersion('10')!
const v12 = findRoomVersion('12')!
const rulesAndDraft = anyRules.chain((rules) => fc.tuple(fc.constant(rules), anyDraft(rules)))

function draft(content: JsonObject, more: Partial<EventDraft> = {}): EventDraft {
  return {
    type: 'm.room.message',
    sender: '@alice:example.org' as UserId,
    content,
    roomId: '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ' as RoomId,
    originServerTs: 1_404_838_188_000,
    depth: 12,
    prevEventIds: ['$prev' as EventId],
    authEventIds: ['$auth' as EventId],
    ...more,
  }
}

test('the halves around the signatures make the canonical JSON of the signed event, in every room version', () => {
  fc.assert(
    fc.property(rulesAndDraft, ([rules, input]) => {
      const built = buildEvent(rules, input, { sha256 })
      assert.equal(built.head + built.tail, canonicalJsonWithout(built.pdu, ['signatures']))
      const { signatures } = signEvent(rules, built.pdu, signer)
      assert.equal(signatures['example.org']!['ed25519:a_1'], signer.sign(built.signed))
      assert.equal(spliceSignatures(built, signatures), canonicalJson({ ...built.pdu, signatures }))
    }),
  )
})

test('id, hash and signed text are what the general functions make of the event', () => {
  fc.assert(
    fc.property(rulesAndDraft, ([rules, input]) => {
      const built = buildEvent(rules, input, { sha256 })
      assert.equal(built.signed, signedText(rules, built.pdu))
      assert.equal(built.eventId, eventIdOf(rules, built.pdu, sha256))
      assert.ok(hasValidContentHash(rules, built.pdu, sha256))
      const { eventId, roomId, pdu, prevEventIds, authEventIds } = built
      assert.deepEqual(toRoomEvent(rules, pdu, sha256), { eventId, roomId, pdu, prevEventIds, authEventIds })
    }),
  )
})

test('what is built passes the format check, also after a trip over the wire', () => {
  fc.assert(
    fc.property(rulesAndDraft, ([rules, input]) => {
      const built = buildEvent(rules, input, { sha256 })
      const wire = parseJsonObject(spliceSignatures(built, { 'example.org': { 'ed25519:a_1': 'c2ln' } }))
      const verdict = checkFormat(rules, wire)
      assert.deepEqual(verdict, {
        ok: true,
        pdu: wire,
        json: canonicalJson(wire, rules.strictCanonicalJson),
      })
    }),
  )
})

test('a create event of version 12 names no room, and its hash is the room id', () => {
  const built = buildEvent(v12, draft({ room_version: '12' }, { type: 'm.room.create', stateKey: '' }), {
    sha256,
  })
  assert.equal(built.pdu.room_id, undefined)
  assert.equal(built.roomId, `!${built.eventId.slice(1)}`)
  assert.equal(built.head.includes('room_id'), false)
})

test('an event of that type which is no state under the empty key names its room in version 12', () => {
  for (const stateKey of [undefined, 'x']) {
    const more = stateKey === undefined ? {} : { stateKey }
    const built = buildEvent(v12, draft({}, { type: 'm.room.create', ...more }), { sha256 })
    assert.equal(built.pdu.room_id, draft({}).roomId)
    assert.equal(built.roomId, draft({}).roomId)
    assert.deepEqual(checkFormat(v12, { ...built.pdu, signatures: {} }).ok, true)
  }
})

test('what a redaction removes stands where its room version keeps it', () => {
  const input = draft(
    { reason: 'spam' },
    { type: 'm.room.redaction', redacts: '$gone' as EventId, roomId: '!r:example.org' as RoomId },
  )
  const old = buildEvent(v10, input, { sha256 })
  assert.deepEqual([old.pdu.redacts, old.pdu.content], ['$gone', { reason: 'spam' }])
  const recent = buildEvent(findRoomVersion('11')!, input, { sha256 })
  assert.deepEqual(
    [recent.pdu.redacts, recent.pdu.content],
    [undefined, { reason: 'spam', redacts: '$gone' }],
  )
})

test('content without canonical form is refused by the rules of the room version', () => {
  const refused = (fault: unknown): boolean => fault instanceof MatrixError && fault.errcode === 'M_BAD_JSON'
  assert.throws(() => buildEvent(v12, draft({ level: 0.5 }), { sha256 }), refused)
  assert.throws(() => buildEvent(v12, draft({ body: '\ud800' }), { sha256 }), refused)
  assert.throws(() => buildEvent(v12, draft({}, { originServerTs: 1.5 }), { sha256 }), refused)
  assert.throws(() => buildEvent(v12, draft({}, { stateKey: '\udc00' }), { sha256 }), refused)
  const old = buildEvent(findRoomVersion('5')!, draft({ level: 0.5 }), { sha256 })
  assert.ok(old.head.includes('"level":0.5'))
})

test('events over 65536 bytes, and types and state keys over 255 bytes, are too large', () => {
  const tooLarge = (fault: unknown): boolean =>
    fault instanceof MatrixError && fault.errcode === 'M_TOO_LARGE'
  const build = (content: JsonObject, more: Partial<EventDraft> = {}): void =>
    void buildEvent(v12, draft(content, more), { sha256 })
  assert.throws(() => build({ body: 'a'.repeat(65_500) }), tooLarge)
  assert.throws(() => build({ body: '😀'.repeat(16_200) }), tooLarge)
  build({ body: '😀'.repeat(15_900) })
  assert.throws(() => build({}, { type: 'é'.repeat(128) }), tooLarge)
  assert.throws(() => build({}, { stateKey: 'a'.repeat(256) }), tooLarge)
  build({}, { type: 'é'.repeat(127), stateKey: 'a'.repeat(255) })
})

test('a draft that lacks what its room version needs is a fault of the program', () => {
  const v1 = findRoomVersion('1')!
  const { roomId: _, ...roomless } = draft({})
  assert.throws(() => buildEvent(v12, roomless, { sha256 }), TypeError)
  assert.throws(() => buildEvent(v1, draft({}), { sha256 }), TypeError)
  assert.throws(() => buildEvent(v1, draft({}, { eventId: '$a:b' as EventId }), { sha256 }), TypeError)
  assert.throws(() => buildEvent(v12, draft({}, { eventId: '$a:b' as EventId }), { sha256 }), TypeError)
})
