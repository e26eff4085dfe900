import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createGhostIds } from '../ghost-ids.ts'
import type { Link, LinkState } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import { ORIGIN_KEY, parseCommand, planEvent } from './plan-event.ts'

const ghostIds = createGhostIds('_b_', 'x')
const GHOST = ghostIds.userIdOf('irc', 'one', 'bob')!

function link(nid: number, server: string, channel: string, state: LinkState = 'live'): Link {
  const portal = { nid, network: 'irc', server, channel, name: channel }
  const options = { mode: 'relay', membership: 'lazy', liveTs: 1000 } as const
  return { nid, portal, roomId: '!r', state, options, requestedBy: '@a:x', createdTs: 0 }
}

const links = [
  link(1, 'one', '#a'),
  link(2, 'one', '#b'),
  link(3, 'two', '#a'),
  link(4, 'two', '#p', 'paused'),
]

function plan(event: Partial<MatrixEvent>): string[] {
  const base = {
    type: 'm.room.message',
    event_id: '$e',
    room_id: '!r',
    sender: '@a:x',
    origin_server_ts: 2000,
    content: {},
  }
  const context = { links, botUserId: '@bot:x', ghostIds, networkNames: ['irc'] }
  return planEvent({ ...base, ...event }, context).map(({ lane, kind }) => `${kind} ${lane}`)
}

test('a message goes to every live channel of its room', () => {
  const content = { msgtype: 'm.text', body: 'hi' }
  assert.deepEqual(plan({ content }), ['message portal:1', 'message portal:2', 'message portal:3'])
  assert.deepEqual(plan({ content, origin_server_ts: 999 }), [], 'said before anybody agreed')
  assert.deepEqual(plan({ content, sender: '@bot:x' }), [])
})

test('what came from a channel goes to all others', () => {
  const content: JsonObject = { msgtype: 'm.text', body: 'hi', [ORIGIN_KEY]: 'irc/one/#a' }
  assert.deepEqual(plan({ content, sender: GHOST }), ['message portal:2', 'message portal:3'])
  assert.deepEqual(plan({ content, sender: '@mallory:x' }).length, 3, 'only our ghosts are believed')
  assert.deepEqual(plan({ sender: GHOST, type: 'm.room.redaction' }), ['redaction portal:3'])
})

test('words to the bot are commands of people, never of ghosts, and go nowhere else', () => {
  const content = { msgtype: 'm.text', body: '!IRC  link one #x' }
  assert.deepEqual(plan({ content }), ['command room:!r'])
  assert.ok(!plan({ content, sender: GHOST }).includes('command room:!r'))
  assert.deepEqual(parseCommand(content.body, ['irc']), { network: 'irc', words: ['link', 'one', '#x'] })
  for (const body of ['!ircx help', 'irc help', ' !irc', 7, undefined, '!'])
    assert.equal(parseCommand(body, ['irc']), undefined)
})

test('memberships concern the bot, people with connections of their own, and ghosts that others removed', () => {
  const member = (key: string, membership: string, sender = '@mod:x'): string[] =>
    plan({ type: 'm.room.member', state_key: key, sender, content: { membership } })
  assert.deepEqual(member('@bot:x', 'invite'), ['invite room:!r'])
  assert.deepEqual(member('@bot:x', 'ban'), ['expelled room:!r'])
  assert.deepEqual(member('@a:x', 'leave', '@a:x'), ['member portal:1', 'member portal:2', 'member portal:3'])
  assert.deepEqual(member('@a:x', 'invite'), [])
  assert.deepEqual(member(GHOST, 'leave'), ['moderate portal:1', 'moderate portal:2'])
  assert.deepEqual(member(GHOST, 'leave', GHOST), [])
  assert.deepEqual(member(GHOST, 'join', GHOST), [])
})
