import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyPdu, anyRules } from '@causeway/testkit/matrix/arbitraries.ts'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import { findRoomVersion } from '../room-versions/rules.ts'
import { contentHash } from './content-hash.ts'
import { eventIdOf } from './event-id-of.ts'
import fixture from './fixtures/redaction.json' with { type: 'json' }
import type { JsonObject, Pdu } from './pdu.ts'
import { redactContent, redactPdu } from './redact.ts'
import { referenceHash, signedText } from './reference-hash.ts'

test('redacting twice is redacting once, in every room version', () => {
  fc.assert(
    fc.property(anyRules, anyPdu, (rules, pdu) => {
      const once = redactPdu(rules, pdu)
      assert.deepEqual(redactPdu(rules, once), once)
    }),
  )
})

test('redaction changes neither the id nor the signed text, and leaves the event itself alone', () => {
  fc.assert(
    fc.property(anyRules, anyPdu, (rules, pdu) => {
      const before = structuredClone(pdu)
      const redacted = redactPdu(rules, pdu)
      assert.equal(signedText(rules, redacted), signedText(rules, pdu))
      assert.equal(referenceHash(rules, redacted, sha256), referenceHash(rules, pdu, sha256))
      assert.deepEqual(pdu, before)
    }),
  )
})

test('redaction only ever takes away', () => {
  fc.assert(
    fc.property(anyRules, anyPdu, (rules, pdu) => {
      const redacted = redactPdu(rules, pdu)
      for (const key of Object.keys(redacted)) assert.ok(Object.hasOwn(pdu, key))
      for (const key of Object.keys(redacted.content)) assert.ok(Object.hasOwn(pdu.content, key))
    }),
  )
})

test('the content hash depends on everything but signatures, unsigned and hashes', () => {
  fc.assert(
    fc.property(anyRules, anyPdu, fc.jsonValue(), (rules, pdu, other) => {
      const changed = {
        ...pdu,
        signatures: { a: { b: 'c' } },
        unsigned: { other: other as null },
        hashes: { sha256: 'x' },
      }
      const { unsigned: _, ...without } = pdu
      const expected = contentHash(rules, pdu, sha256)
      assert.equal(contentHash(rules, changed, sha256), expected)
      assert.equal(contentHash(rules, without as Pdu, sha256), expected)
      assert.notEqual(contentHash(rules, { ...pdu, depth: pdu.depth + 1 }, sha256), expected)
      assert.notEqual(
        contentHash(rules, { ...pdu, content: { ...pdu.content, 'new key': 1 } }, sha256),
        expected,
      )
    }),
  )
})

/** A value for every key that some version keeps; objects where redaction looks inside. */
const fullContent = (keys: readonly string[]): JsonObject =>
  Object.fromEntries(
    [...keys, 'other'].map((key) => [
      key,
      key === 'third_party_invite' ? { signed: { a: 1 }, display_name: 'b' } : 1,
    ]),
  )

for (const { versions, event, content } of fixture.rules) {
  test(`room versions ${versions.join(', ')} keep of an event and its content what their text lists`, () => {
    const everyKey = [...new Set(fixture.rules.flatMap((rule) => Object.values(rule.content).flat()))]
    for (const rules of versions.map((version) => findRoomVersion(version)!)) {
      const everything = Object.fromEntries(
        fixture.rules
          .flatMap((rule) => rule.event)
          .concat('other')
          .map((key) => [key, 1]),
      )
      const pdu = { ...everything, type: 'm.x', content: {} } as unknown as Pdu
      assert.deepEqual(Object.keys(redactPdu(rules, pdu)).toSorted(), event.toSorted())
      for (const [type, kept] of Object.entries(content) as [string, string[]][]) {
        const full = fullContent(everyKey)
        const expected = kept.includes('*') ? Object.keys(full) : kept
        assert.deepEqual(
          Object.keys(redactContent(rules, type, full)).toSorted(),
          expected.toSorted(),
          `${rules.version} ${type}`,
        )
      }
    }
  })
}

test('from version 11 on, only the signed part of a third-party invite stays', () => {
  const v11 = findRoomVersion('11')!
  const redact = (invite: JsonObject[string]): JsonObject =>
    redactContent(v11, 'm.room.member', { third_party_invite: invite })
  assert.deepEqual(redact({ signed: { a: 1 }, display_name: 'x' }), {
    third_party_invite: { signed: { a: 1 } },
  })
  assert.deepEqual(redact({ display_name: 'x' }), { third_party_invite: {} })
  for (const odd of [null, 1, 'x', [{ signed: 1 }]]) assert.deepEqual(redact(odd), {})
})

test('keys that every object inherits are not taken for content', () => {
  const rules = findRoomVersion('11')!
  const pdu = JSON.parse(
    '{"type":"m.room.member","content":{"__proto__":{"membership":"join"}},"signatures":{}}',
  ) as Pdu
  assert.deepEqual(redactPdu(rules, pdu).content, {})
})

test('the event id is the reference hash in the base64 of its room version', () => {
  const pdu = { type: 'm.x', content: {}, hashes: { sha256: 'x' }, event_id: '$a:b' } as unknown as Pdu
  const ids = ['1', '3', '4'].map((version) => eventIdOf(findRoomVersion(version)!, pdu, () => 'a-b_'))
  assert.deepEqual(ids, ['$a:b', '$a+b/', '$a-b_'])
  const { event_id: _, ...bare } = pdu
  assert.throws(() => eventIdOf(findRoomVersion('2')!, bare as Pdu, sha256), /must carry an event_id/)
})
