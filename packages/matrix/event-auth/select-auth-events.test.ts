import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { findRoomVersion, SPECIFIED_ROOM_VERSIONS } from '../room-versions/rules.ts'
import { checkAuthEventsSelection, type AuthEventLookup } from './check-auth-events.ts'
import { selectAuthEvents, type AuthEventsDraft } from './select-auth-events.ts'
import { packStateKey, unpackStateKey } from './state-key.ts'
import { createTestRoom, type TestEvent, type TestRoom } from './test-room.ts'

const ALICE = '@alice:a'
const BOB = '@bob:b'

function selected(version: string, draft: AuthEventsDraft): string[] {
  return selectAuthEvents(findRoomVersion(version)!, draft)
    .map(([type, key]) => `${type.replace('m.room.', '')} ${key}`.trim())
    .sort()
}

function since(version: string, first: number): boolean {
  return Number(version) >= first
}

test('the selection is what the specification lists, with the create event before version 12', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const create = since(version, 12) ? [] : ['create']
    const basic = [...create, `member ${ALICE}`, 'power_levels']
    assert.deepEqual(
      selected(version, { type: 'm.room.create', sender: ALICE, stateKey: '', content: {} }),
      [],
    )
    assert.deepEqual(selected(version, { type: 'm.room.message', sender: ALICE, content: {} }), basic)
    const member = (membership: string, content = {}) =>
      selected(version, {
        type: 'm.room.member',
        sender: ALICE,
        stateKey: BOB,
        content: { membership, ...content },
      })
    const both = [...create, `member ${ALICE}`, `member ${BOB}`, 'power_levels']
    assert.deepEqual(member('leave'), both)
    assert.deepEqual(member('ban'), both)
    for (const membership of ['join', 'invite', 'knock']) {
      assert.deepEqual(member(membership), [...both, 'join_rules'].sort())
    }
    const thirdParty = { third_party_invite: { signed: { token: 'T' } } }
    assert.deepEqual(member('invite', thirdParty), [...both, 'join_rules', 'third_party_invite T'].sort())
    assert.deepEqual(member('join', thirdParty), [...both, 'join_rules'].sort())
    const via = { join_authorised_via_users_server: '@carol:c' }
    const carol = since(version, 8) ? ['member @carol:c'] : []
    assert.deepEqual(member('join', via), [...both, ...carol, 'join_rules'].sort())
    assert.deepEqual(member('invite', via), [...both, 'join_rules'].sort())
    const self = { type: 'm.room.member', sender: ALICE, stateKey: ALICE, content: { membership: 'join' } }
    assert.deepEqual(selected(version, self), [...basic, 'join_rules'].sort())
  }
})

test('a packed state key is unambiguous and unpacks to its parts', () => {
  const pairs = [
    ['a', 'bc'],
    ['ab', 'c'],
    ['', 'abc'],
    ['1:', '2:x'],
    ['', ''],
    ['a\0b', 'c'],
    ['a', '\0bc'],
  ] as [string, string][]
  assert.equal(new Set(pairs.map((pair) => packStateKey(...pair))).size, pairs.length)
  for (const pair of pairs) assert.deepEqual(unpackStateKey(packStateKey(...pair)), pair)
})

function room(version: string): TestRoom {
  const room = createTestRoom(version)
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content: { creator: ALICE } })
  const join = { membership: 'join' }
  room.send({ id: 'alice', type: 'm.room.member', sender: ALICE, stateKey: ALICE, content: join })
  room.send({ id: 'levels', type: 'm.room.power_levels', sender: ALICE, stateKey: '' })
  room.send({ id: 'rules', type: 'm.room.join_rules', sender: ALICE, stateKey: '' })
  return room
}

function lookupOf(
  events: ReadonlyMap<EventId, RoomEvent>,
  rejected: readonly EventId[] = [],
): AuthEventLookup {
  return { find: (id) => events.get(id), isRejected: (id) => rejected.includes(id) }
}

test('an event with selected auth events passes; doubles, strangers and unknown ones do not', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const r = room(version)
    const create = since(version, 12) ? [] : ['create']
    r.send({
      id: 'alice2',
      type: 'm.room.member',
      sender: ALICE,
      stateKey: ALICE,
      content: { membership: 'join' },
    })
    const check = (auth?: string[], draft: Partial<TestEvent> = {}) => {
      const event = r.send({
        id: 'hi',
        type: 'm.room.message',
        sender: ALICE,
        after: 'rules',
        auth,
        ...draft,
      })
      return checkAuthEventsSelection(r.rules, event, lookupOf(r.events)).ok
    }
    assert.equal(check(), true)
    assert.equal(check([...create, 'alice']), true, 'a missing power-levels event is no fault')
    assert.equal(check([...create, 'alice', 'alice2']), false, 'two of one key')
    assert.equal(check([...create, 'alice', 'alice']), false, 'one twice')
    assert.equal(check([...create, 'alice', 'rules']), false, 'join rules for a message')
    assert.equal(check(['alice', 'levels']), since(version, 12), 'without the create event')
    assert.equal(check(['create', 'alice', 'levels']), !since(version, 12), 'with the create event')
    r.send({ id: 'message', type: 'm.room.message', sender: ALICE })
    assert.equal(check([...create, 'alice', 'message']), false, 'a message')
  }
})

test('rejected auth events, those of another room and those not held are faults', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const r = room(version)
    const event = r.send({ id: 'hi', type: 'm.room.message', sender: ALICE })
    const levels = r.idOf('levels')
    const check = (lookup: AuthEventLookup) => checkAuthEventsSelection(r.rules, event, lookup).ok
    assert.equal(check(lookupOf(r.events)), true)
    assert.equal(check(lookupOf(r.events, [levels])), false)
    assert.equal(check(lookupOf(r.events, [r.idOf('create')])), false)
    const foreign = { ...r.events.get(levels)!, roomId: '!other:a' as RoomEvent['roomId'] }
    assert.equal(check(lookupOf(new Map([...r.events, [levels, foreign]]))), false)
    assert.equal(check(lookupOf(new Map([...r.events].filter(([id]) => id !== levels)))), false)
    assert.equal(check(lookupOf(new Map([...r.events].filter(([id]) => id !== r.idOf('create'))))), false)
  }
})
