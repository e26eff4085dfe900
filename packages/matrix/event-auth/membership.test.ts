import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../events/pdu.ts'
import { SPECIFIED_ROOM_VERSIONS } from '../room-versions/rules.ts'
import type { Verdict } from './auth-state.ts'
import { authorizeEvent } from './authorize.ts'
import { createTestRoom, type TestRoom } from './test-room.ts'

const ALICE = '@alice:a'
const BOB = '@bob:b'
const CAROL = '@carol:c'
const MEMBERSHIPS = ['none', 'leave', 'invite', 'join', 'knock', 'ban'] as const
const JOIN_RULES = [
  'public',
  'invite',
  'knock',
  'restricted',
  'knock_restricted',
  'private',
  undefined,
] as const
type JoinRule = (typeof JOIN_RULES)[number]
const never = () => false

interface Setting {
  joinRule?: JoinRule
  members?: Record<string, string>
  levels?: JsonObject
}

/** A room of Alice's, with power levels, a join rule and members as told, whoever allowed that. */
function roomWith(version: string, { joinRule, members = {}, levels = {} }: Setting): TestRoom {
  const room = createTestRoom(version)
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content: { creator: ALICE } })
  member(room, ALICE, 'join')
  const users = room.rules.privilegedCreators ? {} : { [ALICE]: 100 }
  const content = { ...levels, users: { ...users, ...(levels['users'] as JsonObject | undefined) } }
  room.send({ id: 'levels', type: 'm.room.power_levels', sender: ALICE, stateKey: '', content })
  if (joinRule !== undefined) {
    const content = { join_rule: joinRule }
    room.send({ id: 'rule', type: 'm.room.join_rules', sender: ALICE, stateKey: '', content })
  }
  for (const [userId, membership] of Object.entries(members)) {
    if (membership !== 'none') member(room, userId, membership)
  }
  room.send({ id: 'last', type: 'test.state', sender: ALICE, stateKey: '' })
  return room
}

function member(room: TestRoom, userId: string, membership: string): void {
  const id = `${userId.slice(1, userId.indexOf(':'))}-${membership}`
  room.send({ id, type: 'm.room.member', sender: userId, stateKey: userId, content: { membership } })
}

function change(
  room: TestRoom,
  sender: string,
  stateKey: string,
  content: JsonObject,
  signedBy?: string[],
): Verdict {
  const event = room.send({
    id: 'change',
    type: 'm.room.member',
    sender,
    stateKey,
    content,
    signedBy,
    after: 'last',
  })
  return authorizeEvent(room.rules, event, room.authStateAfter('last'), never)
}

function since(version: string, first: number): boolean {
  return Number(version) >= first
}

/** Join rules as each version knows them; anything else lets nobody in. */
function meaningOf(version: string, rule: JoinRule): 'open' | 'invited' | 'closed' {
  if (rule === 'public') return 'open'
  if (rule === undefined || rule === 'invite') return 'invited'
  if (rule === 'knock') return since(version, 7) ? 'invited' : 'closed'
  if (rule === 'restricted') return since(version, 8) ? 'invited' : 'closed'
  if (rule === 'knock_restricted') return since(version, 10) ? 'invited' : 'closed'
  return 'closed'
}

for (const version of SPECIFIED_ROOM_VERSIONS) {
  test(`version ${version}: who may join follows from the join rule and the membership before`, () => {
    for (const joinRule of JOIN_RULES) {
      for (const before of MEMBERSHIPS) {
        const room = roomWith(version, { joinRule, members: { [BOB]: before } })
        const meaning = meaningOf(version, joinRule)
        const expected =
          before !== 'ban' &&
          (meaning === 'open' || (meaning === 'invited' && (before === 'join' || before === 'invite')))
        assert.equal(
          change(room, BOB, BOB, { membership: 'join' }).ok,
          expected,
          `${joinRule} from ${before}`,
        )
        assert.equal(change(room, ALICE, BOB, { membership: 'join' }).ok, false, 'for somebody else')
      }
    }
  })

  test(`version ${version}: a knock needs a join rule that takes knocks, and somebody outside`, () => {
    for (const joinRule of JOIN_RULES) {
      for (const before of MEMBERSHIPS) {
        const room = roomWith(version, { joinRule, members: { [BOB]: before } })
        const takesKnocks =
          (joinRule === 'knock' && since(version, 7)) ||
          (joinRule === 'knock_restricted' && since(version, 10))
        const expected = takesKnocks && (before === 'none' || before === 'leave' || before === 'knock')
        assert.equal(
          change(room, BOB, BOB, { membership: 'knock' }).ok,
          expected,
          `${joinRule} from ${before}`,
        )
        assert.equal(change(room, ALICE, BOB, { membership: 'knock' }).ok, false, 'for somebody else')
      }
    }
  })

  test(`version ${version}: one may leave from join and invite, and from knock where that exists`, () => {
    for (const before of MEMBERSHIPS) {
      const room = roomWith(version, { members: { [BOB]: before } })
      const expected = before === 'join' || before === 'invite' || (before === 'knock' && since(version, 7))
      assert.equal(change(room, BOB, BOB, { membership: 'leave' }).ok, expected, before)
    }
  })

  test(`version ${version}: a member with the power to invite invites whoever is neither in the room nor banned`, () => {
    for (const before of MEMBERSHIPS) {
      for (const inviter of MEMBERSHIPS) {
        const room = roomWith(version, { members: { [BOB]: before, [CAROL]: inviter } })
        const expected = inviter === 'join' && before !== 'join' && before !== 'ban'
        assert.equal(
          change(room, CAROL, BOB, { membership: 'invite' }).ok,
          expected,
          `${inviter} → ${before}`,
        )
      }
    }
    const strict = roomWith(version, { members: { [CAROL]: 'join' }, levels: { invite: 1 } })
    assert.deepEqual(change(strict, CAROL, BOB, { membership: 'invite' }), {
      ok: false,
      reason: 'You need power level 1 to invite people; you have 0.',
    })
  })

  test(`version ${version}: kicks, bans and unbans need the level, and more power than the target`, () => {
    for (const power of [49, 50, 51]) {
      for (const targetPower of [0, 49, 50, 51]) {
        for (const before of MEMBERSHIPS) {
          const levels = { users: { [CAROL]: power, [BOB]: targetPower }, kick: 50, ban: 51 }
          const room = roomWith(version, { members: { [CAROL]: 'join', [BOB]: before }, levels })
          const isStronger = power > targetPower
          const kick = power >= 50 && isStronger && (before !== 'ban' || power >= 51)
          const label = `${power} → ${targetPower}, ${before}`
          assert.equal(change(room, CAROL, BOB, { membership: 'leave' }).ok, kick, `kick ${label}`)
          const ban = power >= 51 && isStronger
          assert.equal(change(room, CAROL, BOB, { membership: 'ban' }).ok, ban, `ban ${label}`)
        }
      }
    }
  })

  test(`version ${version}: who is not in the room kicks and bans nobody, and unknown memberships are refused`, () => {
    for (const before of MEMBERSHIPS.filter((membership) => membership !== 'join')) {
      const room = roomWith(version, { members: { [CAROL]: before }, levels: { users: { [CAROL]: 100 } } })
      assert.equal(change(room, CAROL, BOB, { membership: 'leave' }).ok, false)
      assert.equal(change(room, CAROL, BOB, { membership: 'ban' }).ok, false)
    }
    const room = roomWith(version, { joinRule: 'public' })
    for (const content of [
      {},
      { membership: 7 },
      { membership: 'constructor' },
      { membership: '__proto__' },
    ]) {
      assert.equal(change(room, BOB, BOB, content).ok, false)
    }
  })
}

test('the creator joins first, and only right after the create event', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = createTestRoom(version)
    room.send({
      id: 'create',
      type: 'm.room.create',
      sender: ALICE,
      stateKey: '',
      content: { creator: ALICE },
    })
    const join = (id: string, userId: string, after: string) => {
      const content = { membership: 'join' }
      const event = room.send({ id, type: 'm.room.member', sender: userId, stateKey: userId, content, after })
      return authorizeEvent(room.rules, event, room.authStateAfter('create'), never).ok
    }
    assert.equal(join('bob', BOB, 'create'), false)
    assert.equal(join('alice', ALICE, 'create'), true)
    assert.equal(join('alice-late', ALICE, 'bob'), false)
  }
})

test('before version 11 the creator is whom the create event names, later its sender', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = createTestRoom(version)
    room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content: { creator: BOB } })
    const content = { membership: 'join' }
    const event = room.send({ id: 'bob', type: 'm.room.member', sender: BOB, stateKey: BOB, content })
    const verdict = authorizeEvent(room.rules, event, room.authStateAfter('create'), never)
    assert.equal(verdict.ok, !since(version, 11))
  }
})

test('a restricted room lets in whom a joined member with the power to invite authorises', () => {
  const via = (userId: string) => ({ membership: 'join', join_authorised_via_users_server: userId })
  for (const joinRule of ['restricted', 'knock_restricted'] as const) {
    for (const version of SPECIFIED_ROOM_VERSIONS) {
      const isKnown = since(version, joinRule === 'restricted' ? 8 : 10)
      const levels = { invite: 10, users: { [CAROL]: 10, '@erin:e': 10 } }
      const room = roomWith(version, { joinRule, levels, members: { [CAROL]: 'join', '@dave:d': 'join' } })
      assert.equal(change(room, BOB, BOB, via(CAROL), ['b', 'c']).ok, isKnown, `${version} ${joinRule}`)
      assert.equal(change(room, BOB, BOB, via(CAROL), ['b']).ok, false, 'not signed by her server')
      assert.equal(change(room, BOB, BOB, via('@dave:d'), ['b', 'd']).ok, false, 'may not invite')
      assert.equal(change(room, BOB, BOB, via('@erin:e'), ['b', 'e']).ok, false, 'is not in the room')
      assert.equal(change(room, BOB, BOB, { ...via(CAROL), join_authorised_via_users_server: 7 }).ok, false)
      const banned = roomWith(version, { joinRule, members: { [CAROL]: 'join', [BOB]: 'ban' } })
      assert.equal(change(banned, BOB, BOB, via(CAROL), ['b', 'c']).ok, false, 'banned')
    }
  }
})

test('the signature of the authorising server is asked for whatever the membership, from version 8 on', () => {
  for (const version of SPECIFIED_ROOM_VERSIONS) {
    const room = roomWith(version, { joinRule: 'public', members: { [BOB]: 'join' } })
    const content = { membership: 'leave', join_authorised_via_users_server: CAROL }
    assert.equal(change(room, BOB, BOB, content, ['b']).ok, !since(version, 8))
  }
})

test('creators of version 12 cannot be removed, not even by each other', () => {
  const room = createTestRoom('12')
  const content = { additional_creators: [BOB] }
  room.send({ id: 'create', type: 'm.room.create', sender: ALICE, stateKey: '', content })
  member(room, ALICE, 'join')
  member(room, BOB, 'join')
  member(room, CAROL, 'join')
  const users = { [CAROL]: Number.MAX_SAFE_INTEGER }
  room.send({ id: 'levels', type: 'm.room.power_levels', sender: ALICE, stateKey: '', content: { users } })
  room.send({ id: 'last', type: 'test.state', sender: ALICE, stateKey: '' })
  for (const membership of ['leave', 'ban']) {
    assert.equal(change(room, CAROL, BOB, { membership }).ok, false)
    assert.equal(change(room, ALICE, BOB, { membership }).ok, false)
    assert.equal(change(room, BOB, CAROL, { membership }).ok, true)
  }
})
