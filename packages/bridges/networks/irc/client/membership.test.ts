import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_ISUPPORT } from './isupport.ts'
import { Membership, MembershipOverflow } from './membership.ts'
import { parseModes } from './modes.ts'
import { parseSource } from './source.ts'

function setUp(limits = { members: 100, channels: 10 }): Membership {
  const membership = new Membership(limits, DEFAULT_ISUPPORT)
  for (const channel of ['#a', '#b']) {
    membership.enter(channel)
    membership.add(channel, parseSource('alice!a@host'), '@')
  }
  membership.add('#a', parseSource('Bob[1]!b@host'))
  return membership
}

const list = (membership: Membership, channel: string): string =>
  membership
    .members(channel)
    .map(({ ranks, nick, user, host }) => `${ranks}${nick}!${user}@${host}`)
    .join(' ')

test('members are found whatever the case of their names', () => {
  const membership = setUp()
  assert.equal(list(membership, '#A'), '@alice!a@host Bob[1]!b@host')
  membership.remove('#a', 'BOB{1}')
  assert.equal(list(membership, '#a'), '@alice!a@host')
})

test('a quit removes from everywhere and names the channels', () => {
  const membership = setUp()
  assert.deepEqual(membership.quit('ALICE'), ['#a', '#b'])
  assert.equal(list(membership, '#a'), 'Bob[1]!b@host')
  assert.deepEqual(membership.quit('alice'), [])
})

test('a new nick keeps ranks and channels', () => {
  const membership = setUp()
  assert.deepEqual(membership.rename('alice', 'Alicia'), ['#a', '#b'])
  assert.match(list(membership, '#b'), /^@Alicia!a@host$/)
  assert.deepEqual(membership.rename('Alicia', 'alicia'), ['#a', '#b'])
  assert.deepEqual(membership.rename('nobody', 'x'), [])
})

test('ranks follow the modes, highest first', () => {
  const membership = setUp()
  const mode = (...params: string[]): void =>
    membership.applyModes('#a', parseModes(DEFAULT_ISUPPORT, params))
  mode('+v-o+o', 'alice', 'bob[1]', 'Bob{1}')
  assert.match(list(membership, '#a'), /^@\+alice.* @Bob/)
  mode('-o', 'alice')
  assert.match(list(membership, '#a'), /^\+alice/)
  mode('+o', 'stranger')
  assert.equal(membership.members('#a').length, 2)
})

test('leaving a channel forgets it, and people in no other channel', () => {
  const membership = setUp()
  membership.exit('#a')
  assert.deepEqual(membership.channels, ['#b'])
  assert.deepEqual(membership.channelsOf('Bob[1]'), [])
  assert.deepEqual(membership.channelsOf('alice'), ['#b'])
})

test('a server that names more people than allowed is given up', () => {
  const membership = setUp()
  assert.throws(() => {
    for (let at = 0; at < 200; at++) membership.add('#a', parseSource(`n${at}!u@h`))
  }, MembershipOverflow)
  assert.throws(() => {
    for (let at = 0; at < 20; at++) membership.enter(`#c${at}`)
  }, MembershipOverflow)
})

test('people come and go without end and without a trace', () => {
  const membership = setUp()
  for (let at = 0; at < 5000; at++) {
    membership.add('#a', parseSource(`n${at}!u@h`))
    membership.rename(`n${at}`, `m${at}`)
    membership.quit(`m${at}`)
  }
  assert.equal(membership.members('#a').length, 2)
})
