import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import type { JsonObject, VerifySignature } from '../events/pdu.ts'
import { canonicalJson } from '../json/canonical.ts'
import { authorizeEvent } from './authorize.ts'
import { createTestRoom, type TestRoom } from './test-room.ts'

const ALICE = '@alice:a'
const BOB = '@bob:b'
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const PUBLIC_KEY = (publicKey.export({ format: 'jwk' }).x ?? '').replaceAll('-', '+').replaceAll('_', '/')
const OTHER_KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

const verifySignature: VerifySignature = (key, json, signature) =>
  key === PUBLIC_KEY && verify(null, Buffer.from(json), publicKey, Buffer.from(signature, 'base64'))

function signedFor(mxid: string, token = 'token'): JsonObject {
  const signature = sign(null, Buffer.from(canonicalJson({ mxid, token })), privateKey)
  return {
    mxid,
    token,
    signatures: { 'id.example': { 'ed25519:0': signature.toString('base64').replace(/=+$/, '') } },
  }
}

function roomWithOpenInvite(content: JsonObject = { public_key: PUBLIC_KEY }): TestRoom {
  const room = createTestRoom('10')
  const creator = { creator: ALICE }
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content: creator })
  const join = { membership: 'join' }
  room.send({ id: 'alice', type: 'm.room.member', sender: ALICE, stateKey: ALICE, content: join })
  room.send({ id: 'invite', type: 'm.room.third_party_invite', sender: ALICE, stateKey: 'token', content })
  return room
}

function invite(
  room: TestRoom,
  thirdPartyInvite: JsonObject,
  sender = ALICE,
  check = verifySignature,
): boolean {
  const content = { membership: 'invite', third_party_invite: thirdPartyInvite }
  const event = room.send({
    id: 'try',
    type: 'm.room.member',
    sender,
    stateKey: BOB,
    content,
    after: 'invite',
  })
  return authorizeEvent(room.rules, event, room.authStateAfter('invite'), check).ok
}

test('an invite signed with a key of the third-party invite is allowed', () => {
  assert.equal(invite(roomWithOpenInvite(), { signed: signedFor(BOB) }), true)
  const listed = {
    public_key: OTHER_KEY,
    public_keys: [{ public_key: OTHER_KEY }, { public_key: PUBLIC_KEY }],
  }
  assert.equal(invite(roomWithOpenInvite(listed), { signed: signedFor(BOB) }), true)
})

test('an invite for another user, token, sender or key is refused', () => {
  const room = roomWithOpenInvite()
  assert.equal(invite(room, { signed: signedFor('@carol:c') }), false)
  assert.equal(invite(room, { signed: signedFor(BOB, 'other') }), false)
  assert.equal(invite(room, { signed: signedFor(BOB) }, '@carol:c'), false)
  assert.equal(invite(roomWithOpenInvite({ public_key: OTHER_KEY }), { signed: signedFor(BOB) }), false)
  assert.equal(
    invite(room, { signed: { ...signedFor(BOB), signatures: signedFor('@x:y')['signatures']! } }),
    false,
  )
})

test('malformed third-party invites are refused', () => {
  const room = roomWithOpenInvite()
  for (const bad of [
    {},
    { signed: null },
    { signed: [] },
    { signed: { mxid: BOB } },
    { signed: { token: 'token' } },
  ]) {
    assert.equal(invite(room, bad), false)
  }
  assert.equal(invite(room, { signed: { ...signedFor(BOB), signatures: 7 } }), false)
  assert.equal(invite(room, { signed: { ...signedFor(BOB), signatures: { x: { 'ed25519:0': 7 } } } }), false)
  assert.equal(invite(room, { signed: { ...signedFor(BOB), nan: 1.5 } }), false)
  assert.equal(
    invite(roomWithOpenInvite({ public_key: 7, public_keys: [null, {}] }), { signed: signedFor(BOB) }),
    false,
  )
})

test('somebody banned cannot be let in by a third-party invite', () => {
  const room = roomWithOpenInvite()
  const content = { membership: 'ban' }
  room.send({ id: 'ban', type: 'm.room.member', sender: ALICE, stateKey: BOB, content })
  const again = { membership: 'invite', third_party_invite: { signed: signedFor(BOB) } }
  const event = room.send({ id: 'try', type: 'm.room.member', sender: ALICE, stateKey: BOB, content: again })
  assert.equal(authorizeEvent(room.rules, event, room.authStateAfter('ban'), verifySignature).ok, false)
})

test('an event full of keys and signatures costs a bounded number of checks', () => {
  const keys = Array.from({ length: 500 }, (_, i) => ({ public_key: `key${i}` }))
  const signatures = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`ed25519:${i}`, 'x']))
  let checks = 0
  const countAndRefuse = () => {
    checks++
    return false
  }
  const signed = { ...signedFor(BOB), signatures: { s: signatures } }
  assert.equal(invite(roomWithOpenInvite({ public_keys: keys }), { signed }, ALICE, countAndRefuse), false)
  assert.ok(checks <= 256, `${checks} checks`)
})
