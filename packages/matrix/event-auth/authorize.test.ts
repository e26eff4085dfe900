import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '../events/pdu.ts'
import { SPECIFIED_ROOM_VERSIONS } from '../room-versions/rules.ts'
import { authStateOf } from './auth-state.ts'
import { authorizeEvent } from './authorize.ts'
import { createTestRoom, type TestEvent, type TestRoom } from './test-room.ts'

const ALICE = '@alice:a'
const BOB = '@bob:b'
const never = () => false

function since(version: string, first: number): boolean {
  return Number(version) >= first
}

function roomWith(version: string, create: JsonObject = {}, levels: JsonObject = {}): TestRoom {
  const room = createTestRoom(version)
  const content = { creator: ALICE, ...create }
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content })
  for (const userId of [ALICE, BOB]) {
    const content = { membership: 'join' }
    room.send({ id: userId, type: 'm.room.member', sender: userId, stateKey: userId, content })
  }
  room.send({ id: 'last', type: 'm.room.power_levels', sender: ALICE, stateKey: '', content: levels })
  return room
}

function isAllowed(room: TestRoom, draft: Omit<TestEvent, 'id' | 'after'>): boolean {
  const event = room.send({ id: 'try', after: 'last', ...draft })
  return authorizeEvent(room.rules, event, room.authStateAfter('last'), never).ok
}

function mayCreate(version: string, content: JsonObject, room = createTestRoom(version)): boolean {
  const event = room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content })
  return authorizeEvent(room.rules, event, authStateOf([]), never).ok
}

test('a create event stands first, in a known room version, and names its creator before version 11', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    assert.equal(mayCreate(version, { creator: ALICE, room_version: version }), true)
    assert.equal(mayCreate(version, { room_version: version }), since(version, 11))
    for (const bad of ['0', '13', 'org.example', 7, null]) {
      assert.equal(mayCreate(version, { creator: ALICE, room_version: bad }), false)
    }
    const room = roomWith(version)
    assert.equal(
      isAllowed(room, { type: 'm.room.create', sender: ALICE, stateKey: '', content: { creator: ALICE } }),
      false,
    )
  }
})

test('a create event may name a room version of a proposal that is known here', () => {
  for (const version of ['org.matrix.msc3757.10', 'org.matrix.msc3757.11']) {
    assert.equal(mayCreate(version, { creator: ALICE, room_version: version }), true)
    assert.equal(mayCreate(version, { creator: ALICE, room_version: 'org.matrix.msc3757.9' }), false)
  }
})

test("a create event is of the room id's server, and in version 12 has no room id", () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = createTestRoom(version)
    const content = { creator: ALICE }
    const event = room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content })
    const elsewhere = { ...event, roomId: '!room:b' as typeof event.roomId }
    assert.equal(authorizeEvent(room.rules, elsewhere, authStateOf([]), never).ok, since(version, 12))
    const withId = { ...event, pdu: { ...event.pdu, room_id: event.roomId } }
    assert.equal(authorizeEvent(room.rules, withId, authStateOf([]), never).ok, !since(version, 12))
  }
})

test('additional creators are a list of user IDs, from version 12 on', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    assert.equal(mayCreate(version, { creator: ALICE, additional_creators: [BOB] }), true)
    for (const bad of [null, BOB, {}, [7], ['bob'], [BOB, '@:'], ['@bob:b c']]) {
      const content = { creator: ALICE, additional_creators: bad }
      assert.equal(mayCreate(version, content), !since(version, 12), `${version} ${JSON.stringify(bad)}`)
    }
  }
})

test('nothing is allowed without the create event, or in version 12 with one that the room id does not name', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version)
    const event = room.send({ id: 'hello', type: 'm.room.message', sender: BOB })
    const state = room.authStateAfter('last')
    assert.equal(authorizeEvent(room.rules, event, state, never).ok, true)
    const without = { get: (t: string, k: string) => (t === 'm.room.create' ? undefined : state.get(t, k)) }
    assert.equal(authorizeEvent(room.rules, event, without, never).ok, false)
    const moved = { ...event, roomId: '!other:a' as typeof event.roomId }
    assert.equal(authorizeEvent(room.rules, moved, state, never).ok, !since(version, 12))
  }
})

test('a room that does not federate takes events of its own server only', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    for (const [federate, expected] of [
      [false, false],
      [true, true],
      ['false', true],
    ] as const) {
      const room = roomWith(version, { 'm.federate': federate })
      assert.equal(isAllowed(room, { type: 'm.room.message', sender: BOB }), expected)
      assert.equal(isAllowed(room, { type: 'm.room.message', sender: ALICE }), true)
    }
  }
})

test('up to version 5 a server sets its own aliases, without being in the room', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version)
    const aliases = { type: 'm.room.aliases', sender: '@carol:c' }
    assert.equal(isAllowed(room, { ...aliases, stateKey: 'c' }), !since(version, 6))
    assert.equal(isAllowed(room, { ...aliases, stateKey: 'b' }), false)
    assert.equal(isAllowed(room, aliases), false)
  }
})

test('who is not in the room sends nothing, who lacks the level neither', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version, {}, { users: { [BOB]: 10 }, events: { low: 10, high: 11 }, invite: 10 })
    for (const [type, expected] of [
      ['low', true],
      ['high', false],
      ['m.room.third_party_invite', true],
    ] as const) {
      assert.equal(isAllowed(room, { type, sender: BOB, stateKey: '' }), expected, type)
      assert.equal(isAllowed(room, { type, sender: '@carol:c', stateKey: '' }), false, type)
    }
    const strict = roomWith(version, {}, { users: { [BOB]: 100 }, invite: 101 })
    assert.equal(isAllowed(strict, { type: 'm.room.third_party_invite', sender: BOB, stateKey: '' }), false)
  }
})

test('state under a user ID is for that user alone', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version, {}, { state_default: 0 })
    assert.equal(isAllowed(room, { type: 'test', sender: BOB, stateKey: BOB }), true)
    assert.equal(isAllowed(room, { type: 'test', sender: BOB, stateKey: ALICE }), false)
    assert.equal(isAllowed(room, { type: 'test', sender: BOB, stateKey: '@' }), false)
    assert.equal(isAllowed(room, { type: 'test', sender: BOB, stateKey: `_${ALICE}` }), true)
  }
})

test('where state is owned (MSC3757), it is for its owner, with or without a suffix, and for who has more power', () => {
  const CAROL = '@carol:c'
  for (const version of ['org.matrix.msc3757.10', 'org.matrix.msc3757.11']) {
    const room = roomWith(version, {}, { state_default: 0, users: { [ALICE]: 100, [BOB]: 50, [CAROL]: 50 } })
    const maySet = (sender: string, stateKey: string): boolean =>
      isAllowed(room, { type: 'test', sender, stateKey })
    for (const suffix of ['', '_', '_phone', '_:@b_!', `_${ALICE}`, '_\u{1f600}']) {
      assert.equal(maySet(BOB, BOB + suffix), true, suffix)
      assert.equal(maySet(ALICE, BOB + suffix), true, 'who has more power')
      assert.equal(maySet(BOB, ALICE + suffix), false, 'who has less')
      assert.equal(maySet(BOB, CAROL + suffix), false, 'who has as much')
      assert.equal(maySet(BOB, `@nobody:d${suffix}`), true, 'the power of everybody who is not named')
    }
    assert.equal(maySet(BOB, 'bob'), true)
    assert.equal(maySet(BOB, `_${ALICE}`), true)
    // Names that merely begin alike, or hold an underscore.
    assert.equal(maySet(BOB, `${BOB}phone`), true, 'another server')
    assert.equal(maySet(BOB, '@alice:ab_phone'), true, 'another server')
    assert.equal(maySet(BOB, '@prefix_@alice:a_phone'), true, 'another user of her server')
    for (const nobody of [
      '@',
      '@alice',
      '@alice_a:',
      '@alice:',
      '@alice:_a',
      '@alice:a@_x',
      '@alice:a b',
      '@_phone',
    ]) {
      assert.equal(maySet(ALICE, nobody), false, `${nobody} is nobody's`)
    }
  }
})

test('owned state takes the power of its type, and of memberships the rules of memberships', () => {
  for (const version of ['org.matrix.msc3757.10', 'org.matrix.msc3757.11']) {
    const levels = { state_default: 20, users: { [ALICE]: 100, [BOB]: 10 } }
    const room = roomWith(version, {}, levels)
    assert.equal(isAllowed(room, { type: 'test', sender: BOB, stateKey: `${BOB}_x` }), false)
    assert.equal(isAllowed(room, { type: 'test', sender: ALICE, stateKey: `${BOB}_x` }), true)
    const join = { type: 'm.room.member', content: { membership: 'join' } }
    assert.equal(isAllowed(room, { ...join, sender: ALICE, stateKey: '@carol:c' }), false)
    assert.equal(isAllowed(room, { ...join, sender: BOB, stateKey: `${BOB}_x` }), false)
  }
})

test('in versions 1 and 2 a redaction needs the level, or an event of the same server', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version, {}, { users: { '@bob:b': 49 } })
    const redaction = { type: 'm.room.redaction', sender: BOB }
    assert.equal(isAllowed(room, { ...redaction, redacts: '$x:b' }), true)
    for (const redacts of ['$x:a', '$x', undefined]) {
      assert.equal(isAllowed(room, { ...redaction, redacts }), since(version, 3), `${version} ${redacts}`)
    }
    const strong = roomWith(version, {}, { users: { '@bob:b': 50 } })
    assert.equal(isAllowed(strong, { ...redaction, redacts: '$x:a' }), true)
  }
})

test('whatever stands in the content of events, the answer is a verdict', () => {
  const keys = [
    ...[
      'membership',
      'join_rule',
      'users',
      'events',
      'users_default',
      'ban',
      'third_party_invite',
      'signed',
      'token',
    ],
    ...['mxid', 'public_keys', 'signatures', 'additional_creators', 'room_version', 'creator', '__proto__'],
    ...['join_authorised_via_users_server', 'm.federate', BOB],
  ]
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(
        'join',
        'invite',
        'leave',
        'ban',
        'knock',
        'public',
        'restricted',
        ALICE,
        BOB,
        'x',
        '50',
        null,
      ),
      fc.oneof(fc.double(), fc.integer(), fc.boolean()),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('json'), { maxKeys: 6 }),
    ),
  }))
  const content = fc.dictionary(fc.constantFrom(...keys), json) as fc.Arbitrary<JsonObject>
  const types = [
    'create',
    'member',
    'power_levels',
    'join_rules',
    'third_party_invite',
    'aliases',
    'redaction',
    'x',
  ]
  const type = fc.constantFrom(...types.map((name) => `m.room.${name}`))
  const version = fc.constantFrom(...SPECIFIED_ROOM_VERSIONS)
  const stateKey = fc.constantFrom('', ALICE, BOB, 'x', undefined)
  fc.assert(
    fc.property(
      version,
      type,
      stateKey,
      content,
      fc.array(fc.tuple(type, stateKey, content)),
      (v, t, k, c, state) => {
        const room = roomWith(v)
        const others = state.map(([type, stateKey, content], at) =>
          room.send({ id: `s${at}`, type, stateKey, content, sender: ALICE, after: 'last' }),
        )
        const event = room.send({ id: 'try', type: t, sender: BOB, stateKey: k, content: c, after: 'last' })
        const auth = authStateOf(
          [...room.stateAfter('last').values()].map((id) => room.events.get(id)!).concat(others),
        )
        const verdict = authorizeEvent(room.rules, event, auth, never)
        assert.ok(verdict.ok || verdict.reason.length > 10)
      },
    ),
    { numRuns: 1000 },
  )
})
