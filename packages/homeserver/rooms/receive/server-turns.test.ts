import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createServerTurns } from './server-turns.ts'

const [slow, other] = ['slow.example', 'other.example'] as [ServerName, ServerName]
const room = (name: string): RoomId => `!${name}` as RoomId

test('a server has so many turns and no more, and another has its own', () => {
  const turns = createServerTurns(2)
  const first = turns.take(slow, room('a'))
  assert.ok(first !== undefined && turns.take(slow, room('b')) !== undefined)
  assert.equal(turns.take(slow, room('c')), undefined)
  assert.ok(turns.take(other, room('c')) !== undefined)
  first()
  // Given back twice it is one turn all the same.
  first()
  assert.ok(turns.take(slow, room('c')) !== undefined)
  assert.equal(turns.take(slow, room('d')), undefined)
})

test('a turn that is given back is kept for who has waited longest, whoever else comes', () => {
  const turns = createServerTurns(1)
  const called: string[] = []
  const first = turns.take(slow, room('x'))!
  for (const name of ['a', 'b', 'a']) turns.whenFree(slow, room(name), () => called.push(name))
  first()
  assert.deepEqual(called, ['a'])
  assert.equal(turns.take(slow, room('new')), undefined)
  turns.take(slow, room('a'))!()
  assert.deepEqual(called, ['a', 'b'])
})

test('a room that has no use for the turn kept for it any more passes it on', () => {
  const turns = createServerTurns(1)
  const called: string[] = []
  const first = turns.take(slow, room('x'))!
  for (const name of ['a', 'b']) turns.whenFree(slow, room(name), () => called.push(name))
  first()
  turns.leave(room('a'))
  assert.deepEqual(called, ['a', 'b'])
  turns.leave(room('b'))
  turns.leave(room('nobody'))
  assert.ok(turns.take(slow, room('new')) !== undefined)
})
