import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyDraft, anyRules } from '@causeway/testkit/matrix/arbitraries.ts'
import { makeSigner, sha256, verifySignature } from '@causeway/testkit/matrix/ed25519.ts'
import { buildEvent, type EventDraft } from '../events/build.ts'
import type { JsonObject, Pdu, Signer } from '../events/pdu.ts'
import { redactPdu } from '../events/redact.ts'
import type { EventId, RoomId, UserId } from '../ids/ids.ts'
import { findRoomVersion, type RoomVersionRules } from '../room-versions/rules.ts'
import { isKeyValidAt, type FindVerifyKey, type VerifyKey } from './keys.ts'
import { signEvent } from './sign-json.ts'
import { keysToVerify, verifyEvent } from './verify-event.ts'

const alice = makeSigner('example.org', 'ed25519:a', 'A'.repeat(43))
const alicePort = makeSigner('example.org:8448', 'ed25519:a', 'B'.repeat(43))
const resident = makeSigner('resident.example', 'ed25519:r', 'C'.repeat(43))
const signers = [alice, alicePort, resident]
const TS = 1_700_000_000_000

function findKeyWith(change: Partial<VerifyKey> = {}): FindVerifyKey {
  return (serverName, keyId) => {
    const signer = signers.find((one) => one.serverName === serverName && one.keyId === keyId)
    return signer === undefined ? undefined : { publicKey: signer.publicKey, validUntilTs: TS * 3, ...change }
  }
}
const deps = { sha256, verify: verifySignature, findKey: findKeyWith() }

const rulesOf = (version: string): RoomVersionRules => findRoomVersion(version)!

function draft(content: JsonObject, more: Partial<EventDraft> = {}): EventDraft {
  return {
    type: 'm.room.message',
    sender: '@alice:example.org' as UserId,
    content,
    roomId: '!room:example.org' as RoomId,
    originServerTs: TS,
    depth: 5,
    prevEventIds: [],
    authEventIds: [],
    ...more,
  }
}

function signed(rules: RoomVersionRules, input: EventDraft, ...by: Signer[]): Pdu {
  return by.reduce((pdu, signer) => signEvent(rules, pdu, signer), buildEvent(rules, input, { sha256 }).pdu)
}

const rulesAndDraft = anyRules.chain((rules) => fc.tuple(fc.constant(rules), anyDraft(rules)))

test('any signed event is valid, and stays validly signed under the same id once it is redacted', () => {
  fc.assert(
    fc.property(rulesAndDraft, ([rules, input]) => {
      fc.pre(input.type !== 'm.room.member')
      const pdu = signed(rules, input, alice, alicePort)
      const { eventId } = buildEvent(rules, input, { sha256 })
      assert.deepEqual(verifyEvent(rules, pdu, deps), { outcome: 'valid', eventId, pdu })
      const verdict = verifyEvent(rules, redactPdu(rules, pdu), deps)
      assert.ok(verdict.outcome !== 'invalid')
      assert.equal(verdict.eventId, eventId)
    }),
    { numRuns: 60 },
  )
})

test('an event whose content was changed goes on as its redacted copy', () => {
  const rules = rulesOf('11')
  const pdu = signed(rules, draft({ body: 'hello' }), alice)
  const verdict = verifyEvent(rules, { ...pdu, content: { body: 'changed' } }, deps)
  assert.equal(verdict.outcome, 'redacted')
  assert.deepEqual(verdict.outcome === 'redacted' && verdict.pdu.content, {})
})

test('an event whose protected parts were changed is dropped', () => {
  const rules = rulesOf('11')
  const pdu = signed(
    rules,
    draft({ membership: 'leave' }, { type: 'm.room.member', stateKey: '@alice:example.org' }),
    alice,
  )
  for (const change of [
    { depth: 6 },
    { content: { membership: 'join' } },
    { state_key: '@bob:example.org' },
    { hashes: { sha256: 'x' } },
  ]) {
    assert.equal(verifyEvent(rules, { ...pdu, ...change } as Pdu, deps).outcome, 'invalid')
  }
})

test('an event must be signed by the server of its sender, under its full name', () => {
  const rules = rulesOf('11')
  assert.equal(verifyEvent(rules, signed(rules, draft({})), deps).outcome, 'invalid')
  assert.equal(verifyEvent(rules, signed(rules, draft({}), alicePort), deps).outcome, 'invalid')
  const forged = draft({}, { sender: '@x:constructor' as UserId })
  assert.equal(verifyEvent(rules, signed(rules, forged, alice), deps).outcome, 'invalid')
})

test('in room versions 1 and 2 the server in the event id signs too', () => {
  const rules = rulesOf('2')
  const input = draft({}, { eventId: '$id:resident.example' as EventId })
  assert.equal(verifyEvent(rules, signed(rules, input, alice), deps).outcome, 'invalid')
  assert.equal(verifyEvent(rules, signed(rules, input, alice, resident), deps).outcome, 'valid')
})

test('a restricted join is signed by the server that authorised it, from room version 8 on', () => {
  const content = { membership: 'join', join_authorised_via_users_server: '@bob:resident.example' }
  const input = draft(content, { type: 'm.room.member', stateKey: '@alice:example.org' })
  const outcome = (version: string, ...by: Signer[]): string =>
    verifyEvent(rulesOf(version), signed(rulesOf(version), input, ...by), deps).outcome
  assert.equal(outcome('7', alice), 'valid')
  for (const version of ['8', '9', '11']) {
    assert.equal(outcome(version, alice), 'invalid')
    assert.equal(outcome(version, alice, resident), 'valid')
  }
  const broken = draft(
    { ...content, join_authorised_via_users_server: 1 },
    { type: 'm.room.member', stateKey: '@a:b' },
  )
  assert.equal(verifyEvent(rulesOf('11'), signed(rulesOf('11'), broken, alice), deps).outcome, 'invalid')
})

test('an invite that follows from a third-party invite needs no signature of its sender, a bare key does not do', () => {
  const rules = rulesOf('11')
  const invite = (third: JsonObject | null): Pdu =>
    signed(
      rules,
      draft({ membership: 'invite', third_party_invite: third }, { type: 'm.room.member', stateKey: '@b:c' }),
    )
  const proof = { mxid: '@b:c', token: 't', signatures: {} }
  assert.equal(verifyEvent(rules, invite({ signed: proof }), deps).outcome, 'valid')
  for (const third of [null, {}, { signed: {} }, { signed: { ...proof, token: 1 } }]) {
    assert.equal(verifyEvent(rules, invite(third), deps).outcome, 'invalid')
  }
})

test('a key counts for events of its time: old ones until they were retired, current ones from version 5 until they expire', () => {
  const key = { publicKey: alice.publicKey, validUntilTs: TS }
  for (const [version, later] of [
    ['4', true],
    ['5', false],
    ['12', false],
  ] as const) {
    assert.ok(isKeyValidAt(rulesOf(version), key, TS))
    assert.equal(isKeyValidAt(rulesOf(version), key, TS + 1), later)
    assert.ok(isKeyValidAt(rulesOf(version), { ...key, expiredTs: TS + 9 }, TS + 9))
    assert.equal(isKeyValidAt(rulesOf(version), { ...key, expiredTs: TS - 1 }, TS), false)
  }
  const pdu = signed(rulesOf('11'), draft({}), alice)
  const expired = { ...deps, findKey: findKeyWith({ validUntilTs: TS - 1 }) }
  assert.equal(verifyEvent(rulesOf('11'), pdu, expired).outcome, 'invalid')
})

test('the keys to fetch are those of the servers that must have signed, and no others', () => {
  const rules = rulesOf('11')
  const pdu = signed(rules, draft({}), alice, resident)
  const odd = { ...pdu.signatures['example.org'], 'ed25519:a/../b': 'AA', 'rsa:1': 'AA' }
  assert.deepEqual(keysToVerify(rules, { ...pdu, signatures: { ...pdu.signatures, 'example.org': odd } }), [
    { serverName: 'example.org', keyIds: ['ed25519:a'] },
  ])
})

test('the content hash is compared as bytes, whatever the spelling of its base64', () => {
  const rules = rulesOf('11')
  const pdu = buildEvent(rules, draft({ body: 'x' }), { sha256 }).pdu
  const padded = signEvent(rules, { ...pdu, hashes: { sha256: `${pdu.hashes.sha256}=` } }, alice)
  assert.equal(verifyEvent(rules, padded, deps).outcome, 'valid')
  const broken = signEvent(rules, { ...pdu, hashes: { sha256: '!' } }, alice)
  assert.equal(verifyEvent(rules, broken, deps).outcome, 'redacted')
})
