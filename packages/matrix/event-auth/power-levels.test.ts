import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject, JsonValue } from '../events/pdu.ts'
import { findRoomVersion, SPECIFIED_ROOM_VERSIONS } from '../room-versions/rules.ts'
import type { Verdict } from './auth-state.ts'
import { authorizeEvent } from './authorize.ts'
import fixture from './fixtures/power-levels.json' with { type: 'json' }
import { parseLevel, parseLevelValues } from './level-values.ts'
import { powerLevelsOf, requiredActionLevel, requiredLevel, userLevel } from './power-levels.ts'
import { createTestRoom, type TestRoom } from './test-room.ts'

const ALICE = '@alice:a'
const BOB = '@bob:b'
const CAROL = '@carol:c'
const never = () => false

function since(version: string, first: number): boolean {
  return Number(version) >= first
}

/** A room in which Alice, Bob and Carol are joined. Without levels it has no power-levels event. */
function roomWith(version: string, levels?: JsonObject, create: JsonObject = {}): TestRoom {
  const room = createTestRoom(version)
  const content = { creator: ALICE, ...create }
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content })
  for (const userId of [ALICE, BOB, CAROL]) {
    const content = { membership: 'join' }
    room.send({ id: userId, type: 'm.room.member', sender: userId, stateKey: userId, content })
  }
  if (levels !== undefined) {
    room.send({ id: 'levels', type: 'm.room.power_levels', sender: ALICE, stateKey: '', content: levels })
  }
  room.send({ id: 'last', type: 'test.state', sender: ALICE, stateKey: '' })
  return room
}

function setLevels(room: TestRoom, sender: string, content: JsonObject): Verdict {
  const event = room.send({
    id: 'set',
    type: 'm.room.power_levels',
    sender,
    stateKey: '',
    content,
    after: 'last',
  })
  return authorizeEvent(room.rules, event, room.authStateAfter('last'), never)
}

function parse(version: string, value: JsonValue): number {
  return parseLevel(findRoomVersion(version)!, value)
}

test('levels in text are read before version 10, with signs, zeros and spaces', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    for (const [text, level] of [
      ['100', 100],
      ['000100', 100],
      ['+100', 100],
      ['-100', -100],
      ['\t -00100 ', -100],
      ['-0', 0],
    ] as const) {
      assert.equal(parse(version, text), since(version, 10) ? Number.NaN : level, `${version} ${text}`)
    }
    for (const bad of [
      '',
      ' ',
      '1.0',
      '1e2',
      '0x10',
      '1_000',
      '1 0',
      '--1',
      'abc',
      'Infinity',
      null,
      true,
      [],
      {},
      ['1'],
    ]) {
      assert.equal(parse(version, bad), Number.NaN, `${version} ${JSON.stringify(bad)}`)
    }
  }
})

test("the specification's levels as text and as fractions are read as it says, where the version has them", () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const rules = findRoomVersion(version)!
    for (const [json, level] of fixture.values as [string, number][]) {
      const value = JSON.parse(json) as string
      assert.equal(parse(version, value), since(version, 10) ? Number.NaN : level, `${version} ${json}`)
    }
    for (const [exponential, plain, whole] of fixture.numbers as [string, string, string][]) {
      for (const number of [Number(exponential), Number(plain)])
        assert.equal(parse(version, number), since(version, 6) ? Number.NaN : Number(whole))
    }
    for (const [{ event, levels }, until] of [
      [fixture.strings, 10],
      [fixture.floats, 6],
    ] as const) {
      const { named, users, events, problem } = parseLevelValues(rules, event.content)
      const read = Object.fromEntries([...named, ...events, ['users', Object.fromEntries(users)]])
      assert.equal(problem === undefined, !since(version, until), `${version}: ${problem}`)
      if (!since(version, until)) assert.deepEqual(read, levels)
    }
  }
})

test('fractions are cut off before version 6 and are no levels afterwards', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    assert.equal(parse(version, 50.57), since(version, 6) ? Number.NaN : 50)
    assert.equal(parse(version, 5.114698e4), since(version, 6) ? Number.NaN : 51146)
    assert.equal(parse(version, -0.5), since(version, 6) ? Number.NaN : 0)
    assert.equal(Object.is(parse(version, -0), 0), true)
  }
})

test('integers beyond 2^53 are levels before version 6 only, and nothing beyond a double ever is', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    assert.equal(parse(version, 2 ** 53 - 1), 2 ** 53 - 1)
    assert.equal(parse(version, 2 ** 63), since(version, 6) ? Number.NaN : 2 ** 63)
    for (const value of [Infinity, -Infinity, '9'.repeat(400)]) {
      assert.equal(setLevels(roomWith(version), ALICE, { ban: value }).ok, false, `${version} ${value}`)
    }
  }
})

test('without a power-levels event the creator has 100 and others 0, and state takes 50', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version)
    const levels = powerLevelsOf(room.rules, room.authStateAfter('last'))
    assert.equal(userLevel(levels, ALICE), since(version, 12) ? Infinity : 100)
    assert.equal(userLevel(levels, BOB), 0)
    assert.equal(requiredLevel(levels, 'm.room.topic', true), 50)
    assert.equal(requiredLevel(levels, 'm.room.message', false), 0)
    assert.equal(requiredActionLevel(levels, 'invite'), 0)
    for (const action of ['kick', 'ban', 'redact'] as const)
      assert.equal(requiredActionLevel(levels, action), 50)
  }
})

test('with a power-levels event the creator has what it says, but for version 12', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version, {
      users_default: 5,
      events: { 'm.room.topic': 7 },
      events_default: 3,
      state_default: 9,
    })
    const levels = powerLevelsOf(room.rules, room.authStateAfter('last'))
    assert.equal(userLevel(levels, ALICE), since(version, 12) ? Infinity : 5)
    assert.equal(userLevel(levels, BOB), 5)
    assert.equal(requiredLevel(levels, 'm.room.topic', true), 7)
    assert.equal(requiredLevel(levels, 'constructor', true), 9)
    assert.equal(requiredLevel(levels, '__proto__', false), 3)
  }
})

test('malformed levels that an old version let pass are out of reach, and their users have no power', () => {
  const room = roomWith('5', {
    ban: 'abc',
    kick: null,
    events: { 'm.room.topic': {} },
    users_default: [],
    users: { [BOB]: 99 },
  })
  const levels = powerLevelsOf(room.rules, room.authStateAfter('last'))
  assert.equal(requiredActionLevel(levels, 'ban'), Infinity)
  assert.equal(requiredActionLevel(levels, 'kick'), Infinity)
  assert.equal(requiredLevel(levels, 'm.room.topic', true), Infinity)
  assert.equal(userLevel(levels, CAROL), -Infinity)
  assert.equal(userLevel(levels, BOB), 99)
})

test('from version 10 on every level has to be an integer', () => {
  const bad: JsonObject[] = [
    { ban: '50' },
    { kick: 1.5 },
    { invite: null },
    { events: [] },
    { events: { 'm.room.topic': '1' } },
    { notifications: { room: '50' } },
    { notifications: 7 },
  ]
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    for (const content of bad) {
      const isFirst = setLevels(roomWith(version), ALICE, content)
      assert.equal(isFirst.ok, !since(version, 10), `${version} ${JSON.stringify(content)}`)
    }
    for (const users of [[], 'x', { bob: 1 }, { '@bob': 1 }, { [BOB]: null }, { [BOB]: 'x' }]) {
      assert.equal(
        setLevels(roomWith(version), ALICE, { users }).ok,
        false,
        `${version} ${JSON.stringify(users)}`,
      )
    }
    assert.equal(setLevels(roomWith(version), ALICE, { users: { [BOB]: '50' } }).ok, !since(version, 10))
    assert.equal(setLevels(roomWith(version), ALICE, {}).ok, true)
  }
})

test('version 12 refuses power levels that name a creator', () => {
  const create = { additional_creators: [BOB] }
  for (const creator of [ALICE, BOB]) {
    for (const room of [roomWith('12', undefined, create), roomWith('12', {}, create)]) {
      assert.equal(setLevels(room, ALICE, { users: { [creator]: 100 } }).ok, false)
      assert.equal(setLevels(room, ALICE, { users: { [CAROL]: 100 } }).ok, true)
      assert.equal(setLevels(room, BOB, { users: { [CAROL]: Number.MAX_SAFE_INTEGER } }).ok, true)
    }
  }
  assert.equal(setLevels(roomWith('11', undefined, create), ALICE, { users: { [ALICE]: 100 } }).ok, true)
})

test('nobody adds, changes or removes a level above their own', () => {
  const named = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite']
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const base = { users: { [BOB]: 50 }, events: { 'm.room.power_levels': 50 } }
    for (const name of named) {
      const at = (level: number | undefined) => (level === undefined ? base : { ...base, [name]: level })
      for (const [from, to, expected] of [
        [undefined, 50, true],
        [undefined, 51, false],
        [50, 0, true],
        [50, undefined, true],
        [51, 0, false],
        [51, undefined, false],
        [51, 51, true],
        [0, 51, false],
      ] as const) {
        const verdict = setLevels(roomWith(version, at(from)), BOB, at(to))
        assert.equal(verdict.ok, expected, `${version} ${name} ${from} → ${to}`)
      }
    }
  }
})

test('entries of events and, from version 6 on, of notifications are guarded alike', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    for (const map of ['events', 'notifications']) {
      const isGuarded = map === 'events' || since(version, 6)
      const at = (level: number | undefined): JsonObject => {
        const entry: JsonObject = level === undefined ? {} : { thing: level }
        const events = { 'm.room.power_levels': 50, ...(map === 'events' ? entry : {}) }
        return { users: { [BOB]: 50 }, events, ...(map === 'notifications' ? { notifications: entry } : {}) }
      }
      for (const [from, to, isWithinReach] of [
        [undefined, 50, true],
        [undefined, 51, false],
        [50, undefined, true],
        [51, undefined, false],
        [51, 50, false],
        [50, 51, false],
        [51, 51, true],
      ] as const) {
        const verdict = setLevels(roomWith(version, at(from)), BOB, at(to))
        assert.equal(verdict.ok, isWithinReach || !isGuarded, `${version} ${map} ${from} → ${to}`)
      }
    }
  }
})

test('users of equal power are safe from each other, but may lower themselves', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const base = { [BOB]: 50, [CAROL]: 50 }
    const from = { users: base, events: { 'm.room.power_levels': 50 } }
    const set = (users: JsonObject) => setLevels(roomWith(version, from), BOB, { ...from, users }).ok
    assert.equal(set({ ...base, [CAROL]: 49 }), false)
    assert.equal(set({ [BOB]: 50 }), false)
    assert.equal(set({ ...base, [BOB]: 49 }), true)
    assert.equal(set({ [CAROL]: 50 }), true)
    assert.equal(set({ ...base, [BOB]: 51 }), false)
    assert.equal(set({ ...base, '@dave:d': 50 }), true)
    assert.equal(set({ ...base, '@dave:d': 51 }), false)
  }
})

test('a level written otherwise is no change', () => {
  const base = { users: { [BOB]: 50 }, events: { 'm.room.power_levels': 50 } }
  assert.equal(setLevels(roomWith('9', { ...base, ban: 100 }), BOB, { ...base, ban: ' +0100' }).ok, true)
  assert.equal(setLevels(roomWith('5', { ...base, ban: 100 }), BOB, { ...base, ban: 100.9 }).ok, true)
  assert.equal(setLevels(roomWith('9', { ...base, ban: 100 }), BOB, { ...base, ban: 'x' }).ok, false)
})

test('reasons name the levels', () => {
  const room = roomWith('11', { users: { [ALICE]: 100 } })
  const topic = room.send({ id: 't', type: 'm.room.topic', sender: BOB, stateKey: '', after: 'last' })
  assert.deepEqual(authorizeEvent(room.rules, topic, room.authStateAfter('last'), never), {
    ok: false,
    reason: 'You need power level 50 to set the topic; you have 0.',
  })
  assert.deepEqual(
    setLevels(roomWith('11', { users: { [ALICE]: 100, [BOB]: 50 } }), BOB, { users: { [BOB]: 50 } }),
    {
      ok: false,
      reason: 'You cannot change the power level of @alice:a: theirs is 100 and yours is 50.',
    },
  )
})
