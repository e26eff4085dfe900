import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packStateKey } from '../event-auth/state-key.ts'
import { createTestRoom } from '../event-auth/test-room.ts'
import { resolveStateMaps } from './resolve.ts'
import { sourceOf, TOOLS } from './test-support.ts'

const ALICE = '@alice:a'

test('at equal depth the least SHA-1 of the event id wins, for topics and for power levels', async () => {
  for (const type of ['m.room.topic', 'm.room.power_levels', 'm.room.join_rules']) {
    const room = createTestRoom('1')
    const own = { sender: ALICE, stateKey: '' }
    room.send({ id: 'create', type: 'm.room.create', ...own, content: { creator: ALICE } })
    room.send({
      id: 'alice',
      type: 'm.room.member',
      sender: ALICE,
      stateKey: ALICE,
      content: { membership: 'join' },
    })
    const names = ['one', 'two', 'three', 'four', 'five', 'six']
    const content = { users: { [ALICE]: 100 } }
    for (const id of names) room.send({ id, type, ...own, content, after: 'alice', depth: 9 })
    const maps = names.map((name) => room.stateAfter(name))
    const resolved = await resolveStateMaps(room.rules, maps, sourceOf(room.events), TOOLS)
    const bySha1 = names
      .map((name) => room.idOf(name))
      .sort((a, b) => (TOOLS.sha1(a) < TOOLS.sha1(b) ? -1 : 1))
    assert.equal(resolved.get(packStateKey(type, '')), bySha1[0], type)
  }
})

test('where no candidate is allowed the one of least depth stands', async () => {
  const room = createTestRoom('1')
  const own = { sender: ALICE, stateKey: '' }
  room.send({ id: 'create', type: 'm.room.create', ...own, content: { creator: ALICE } })
  room.send({
    id: 'alice',
    type: 'm.room.member',
    sender: ALICE,
    stateKey: ALICE,
    content: { membership: 'join' },
  })
  const ofStranger = { type: 'm.room.topic', sender: '@bob:b', stateKey: '', after: 'alice' }
  for (const [id, depth] of [
    ['x', 9],
    ['y', 8],
    ['z', 10],
  ] as const)
    room.send({ id, ...ofStranger, depth })
  const maps = ['x', 'y', 'z'].map((name) => room.stateAfter(name))
  const resolved = await resolveStateMaps(room.rules, maps, sourceOf(room.events), TOOLS)
  assert.equal(resolved.get(packStateKey('m.room.topic', '')), room.idOf('y'))
})
