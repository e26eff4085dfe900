import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packStateKey } from '../event-auth/state-key.ts'
import { createTestRoom } from '../event-auth/test-room.ts'
import type { EventId } from '../ids/ids.ts'
import { AuthChainTooLongError, walkAuthGraph } from './auth-graph.ts'
import { createEventCache, MissingEventsError } from './event-source.ts'
import { createPriorityQueue } from './priority-queue.ts'
import { resolveState, resolveStateMaps } from './resolve.ts'
import { sourceOf, sourceWithEdgesOf, TOOLS } from './test-support.ts'

const ALICE = '@alice:a'

/** A room where Alice set her power levels so many times. */
function longRoom(length: number) {
  const room = createTestRoom('11')
  const own = { sender: ALICE, stateKey: '' }
  room.send({ id: 'create', type: 'm.room.create', ...own })
  room.send({
    id: 'alice',
    type: 'm.room.member',
    sender: ALICE,
    stateKey: ALICE,
    content: { membership: 'join' },
  })
  const content = { users: { [ALICE]: 100 } }
  for (let i = 0; i < length; i++)
    room.send({ id: `levels${i}`, type: 'm.room.power_levels', ...own, content })
  room.send({ id: 'topic-a', type: 'm.room.topic', ...own })
  room.send({ id: 'topic-b', type: 'm.room.topic', ...own, after: `levels${length - 1}` })
  return room
}

test('a walk asks the source once per generation, and once at all where the source answers ahead', async () => {
  const room = longRoom(20)
  const plain = sourceOf(room.events)
  const graph = await walkAuthGraph([room.idOf('topic-a')], createEventCache(plain), 100)
  assert.equal(graph.ids.length, 23)
  assert.equal(graph.newestFirst.length, 23)
  // The topic, twenty power levels one under the other, and the create event beneath Alice beneath the oldest.
  assert.ok(plain.calls <= 22, `${plain.calls} calls`)
  const source = sourceWithEdgesOf(room.events)
  const ahead = await walkAuthGraph([room.idOf('topic-a')], createEventCache(source), 100)
  assert.deepEqual(new Set(ahead.ids), new Set(graph.ids))
  assert.equal(source.loaded.size, 0)
})

test('with auth edges only what is replayed and what that cites is loaded', async () => {
  const room = longRoom(200)
  const source = sourceWithEdgesOf(room.events)
  const difference = {
    setCount: 2,
    conflicted: [
      { type: 'm.room.topic', stateKey: '', eventIds: [room.idOf('topic-a'), room.idOf('topic-b')] },
    ],
    readUnconflicted: async (keys: readonly (readonly [string, string])[]) =>
      keys.map((pair) => room.stateAfter('topic-a').get(packStateKey(...pair))),
    findReachedFromUnconflicted: async () => new Set<EventId>(),
  }
  const entries = await resolveState(room.rules, difference, source, TOOLS)
  assert.deepEqual(entries, [{ type: 'm.room.topic', stateKey: '', eventId: room.idOf('topic-b') }])
  assert.ok(source.loaded.size <= 10, `${source.loaded.size} events loaded`)
})

test('a chain beyond the limit and events that are not held end the resolution with an error that says so', async () => {
  const room = longRoom(50)
  const maps = [room.stateAfter('topic-a'), room.stateAfter('topic-b')]
  const tools = { ...TOOLS, maxAuthChain: 40 }
  await assert.rejects(
    resolveStateMaps(room.rules, maps, sourceOf(room.events), tools),
    AuthChainTooLongError,
  )
  const lost = room.idOf('levels3')
  const rest = new Map([...room.events].filter(([id]) => id !== lost))
  await assert.rejects(
    resolveStateMaps(room.rules, maps, sourceOf(rest), TOOLS),
    (error) =>
      error instanceof MissingEventsError && error.eventIds.length === 1 && error.eventIds[0] === lost,
  )
})

test('a cycle of auth events, which early event ids allow, ends and does not depend on order', async () => {
  const room = createTestRoom('2')
  const own = { sender: ALICE, stateKey: '' }
  room.send({ id: 'create', type: 'm.room.create', ...own, content: { creator: ALICE } })
  room.send({
    id: 'alice',
    type: 'm.room.member',
    sender: ALICE,
    stateKey: ALICE,
    content: { membership: 'join' },
  })
  const content = { users: { [ALICE]: 100 } }
  for (const id of ['x', 'y', 'z'])
    room.send({ id, type: 'm.room.power_levels', ...own, content, after: 'alice' })
  const events = new Map(room.events)
  const cycle = ['x', 'y', 'z'].map((id) => room.idOf(id))
  for (const [at, id] of cycle.entries()) {
    const authEventIds = [...events.get(id)!.authEventIds, cycle[(at + 1) % 3]!]
    events.set(id, { ...events.get(id)!, authEventIds })
  }
  const topics = ['t1', 't2'].map((id, at) => {
    const auth = ['create', 'alice', ['x', 'z'][at]!]
    room.send({ id, type: 'm.room.topic', ...own, after: 'alice', auth })
    events.set(room.idOf(id), room.events.get(room.idOf(id))!)
    return room.stateAfter(id)
  })
  const one = await resolveStateMaps(room.rules, topics, sourceOf(events), TOOLS)
  const other = await resolveStateMaps(room.rules, topics.toReversed(), sourceOf(events), TOOLS)
  assert.deepEqual(one, other)
  const graph = await walkAuthGraph(cycle, createEventCache(sourceOf(events)), 100)
  assert.equal(new Set(graph.newestFirst).size, graph.ids.length)
})

test('two hundred thousand power levels, one under the other, exhaust no stack', async () => {
  const events = new Map<EventId, readonly EventId[]>()
  for (let i = 0; i < 200_000; i++) events.set(`$${i}` as EventId, i === 0 ? [] : [`$${i - 1}` as EventId])
  const source = { ...sourceOf(new Map()), getAuthEdges: async () => events }
  const graph = await walkAuthGraph(['$199999' as EventId], createEventCache(source), 200_000)
  assert.equal(graph.newestFirst.at(-1), graph.indexes.get('$0' as EventId))
})

test('a priority queue gives back what it was given, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const queue = createPriorityQueue<number>((a, b) => a - b)
      for (const number of numbers) queue.push(number)
      const popped: number[] = []
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) popped.push(next)
      assert.deepEqual(
        popped,
        numbers.toSorted((a, b) => a - b),
      )
    }),
  )
})
