import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { authStateOf } from '../event-auth/auth-state.ts'
import { authorizeEvent } from '../event-auth/authorize.ts'
import { packStateKey, unpackStateKey, type StateKeyPair } from '../event-auth/state-key.ts'
import { createTestRoom, type TestEvent, type TestRoom } from '../event-auth/test-room.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { authChain, resolveNaively } from './naive-reference.ts'
import { resolveState, resolveStateMaps } from './resolve.ts'
import { separateConflicts, stateMapOf, type StateEntry, type StateMap } from './state-map.ts'
import { sourceOf, sourceWithEdgesOf, TOOLS } from './test-support.ts'
import { findReachedByWalkingDown, findReachedByWalkingUp, type CiterSource } from './unconflicted-reach.ts'

const USERS = ['@alice:a', '@bob:b', '@carol:c', '@dave:d'] as const
const KINDS = ['topic', 'join', 'leave', 'kick', 'ban', 'invite', 'levels', 'rules'] as const
const VERSIONS = ['1', '2', '6', '11', '12'] as const

interface Action {
  readonly kind: (typeof KINDS)[number]
  readonly actor: number
  readonly target: number
  readonly value: number
  readonly ts: number
}
/** Two rounds of forks; those of the second start from what the first resolves to, or from a single fork of it. */
interface Story {
  readonly version: (typeof VERSIONS)[number]
  readonly rounds: readonly (readonly { readonly start: number; readonly actions: readonly Action[] }[])[]
}

const user = fc.integer({ min: 0, max: USERS.length - 1 })
const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom(...KINDS),
  actor: user,
  target: user,
  value: fc.integer({ min: 0, max: 3 }),
  ts: fc.integer({ min: 100, max: 110 }),
})
const fork = fc.record({
  start: fc.integer({ min: 0, max: 3 }),
  actions: fc.array(action, { minLength: 1, maxLength: 10 }),
})
const storyOf = (versions: readonly Story['version'][]): fc.Arbitrary<Story> =>
  fc.record({
    version: fc.constantFrom(...versions),
    rounds: fc.array(fc.array(fork, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 2 }),
  })

/** The event of an action, whether the room allows it or not. */
function draftOf({ kind, actor, target, value, ts }: Action, id: string, version: string): TestEvent {
  const sender = USERS[actor]!
  const other = USERS[target]!
  const member = (stateKey: string, membership: string): TestEvent => ({
    id,
    ts,
    sender,
    type: 'm.room.member',
    stateKey,
    content: { membership },
  })
  const state = (type: string, content: NonNullable<TestEvent['content']>): TestEvent => ({
    id,
    ts,
    sender,
    type,
    stateKey: '',
    content,
  })
  switch (kind) {
    case 'topic':
      return state('m.room.topic', { topic: id })
    case 'rules':
      return state('m.room.join_rules', { join_rule: value % 2 === 0 ? 'public' : 'invite' })
    case 'levels': {
      const creator = version === '12' ? {} : { [USERS[0]]: 100 }
      const changed = target === 0 ? {} : { [other]: [0, 50, 50, 100][value]! }
      return state('m.room.power_levels', { users: { ...creator, [USERS[1]]: 50, ...changed } })
    }
    case 'join':
    case 'leave':
      return member(sender, kind)
    case 'kick':
      return member(other, 'leave')
    default:
      return member(other, kind)
  }
}

interface Told {
  readonly room: TestRoom
  readonly tips: readonly StateMap[]
}

/** Plays a story; actions that the room does not allow at their place do not happen. */
async function tell({ version, rounds }: Story): Promise<Told> {
  const room = createTestRoom(version)
  const [alice] = USERS
  const creation = { sender: alice, stateKey: '', ts: 1 }
  room.send({ id: 'create', type: 'm.room.create', ...creation, content: { creator: alice } })
  const join = (userId: string, ts: number) =>
    room.send({
      id: userId,
      type: 'm.room.member',
      sender: userId,
      stateKey: userId,
      content: { membership: 'join' },
      ts,
    })
  join(alice, 2)
  room.send(draftOf({ kind: 'levels', actor: 0, target: 0, value: 0, ts: 3 }, 'levels', version))
  room.send(draftOf({ kind: 'rules', actor: 0, target: 0, value: 0, ts: 4 }, 'rules', version))
  for (const userId of USERS.slice(1)) join(userId, 5)
  let bases: readonly StateMap[] = [room.stateAfter(USERS.at(-1)!)]
  let tips: readonly StateMap[] = bases
  for (const [r, forks] of rounds.entries()) {
    tips = forks.map(({ start, actions }, f) =>
      play(room, bases[start % bases.length]!, actions, `r${r}f${f}`),
    )
    const merged = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
    bases = [merged, merged, ...tips]
  }
  return { room, tips }
}

function play(room: TestRoom, base: StateMap, actions: readonly Action[], prefix: string): StateMap {
  let state = base
  for (const [a, step] of actions.entries()) {
    const draft = draftOf(step, `${prefix}a${a}`, room.rules.version)
    const event = room.send({ ...draft, stateBefore: state, depth: 10 + a })
    const auth = authStateOf([...state.values()].map((id) => room.events.get(id)!))
    if (!authorizeEvent(room.rules, event, auth, () => false).ok) continue
    state = new Map([...state, [packStateKey(event.pdu.type, event.pdu.state_key!), event.eventId]])
  }
  return state
}

function sorted(map: StateMap): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

test('the result depends neither on the order of the sets, nor of their entries, nor of what the source answers', async () => {
  await fc.assert(
    fc.asyncProperty(storyOf(VERSIONS), fc.infiniteStream(fc.nat()), async (story, chance) => {
      const { room, tips } = await tell(story)
      const keyed = <T>(items: readonly T[]) =>
        items
          .map((item) => ({ item, at: chance.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ item }) => item)
      const expected = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
      const mixed = keyed(tips).map((map) => new Map(keyed([...map])))
      const shuffledEvents = new Map(
        keyed([...room.events]).map(([id, event]): [EventId, RoomEvent] => [
          id,
          { ...event, authEventIds: keyed(event.authEventIds) },
        ]),
      )
      for (const source of [sourceOf(shuffledEvents), sourceWithEdgesOf(shuffledEvents)]) {
        const actual = await resolveStateMaps(room.rules, mixed, source, TOOLS)
        assert.deepEqual(sorted(actual), sorted(expected))
      }
    }),
    { numRuns: 150 },
  )
})

test('sets that agree resolve to themselves, without a look at a single event', async () => {
  await fc.assert(
    fc.asyncProperty(storyOf(VERSIONS), fc.integer({ min: 1, max: 4 }), async (story, count) => {
      const { room, tips } = await tell(story)
      const source = sourceOf(room.events)
      const [tip] = tips
      const resolved = await resolveStateMaps(
        room.rules,
        Array.from({ length: count }, () => tip!),
        source,
        TOOLS,
      )
      assert.deepEqual(sorted(resolved), sorted(tip!))
      assert.equal(source.calls, 0)
    }),
    { numRuns: 50 },
  )
})

test('v2 and v2.1 resolve as the specification does word by word', async () => {
  await fc.assert(
    fc.asyncProperty(storyOf(['2', '6', '11', '12']), async (story) => {
      const { room, tips } = await tell(story)
      const expected = resolveNaively(room.rules, tips, room.events)
      const actual = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
      assert.deepEqual(sorted(actual), sorted(expected))
    }),
    { numRuns: 300 },
  )
})

test('unconflicted state stands, and the rest comes from the sets or their auth chains and rests on its own auth events', async () => {
  await fc.assert(
    fc.asyncProperty(storyOf(VERSIONS), async (story) => {
      const { room, tips } = await tell(story)
      const { unconflicted } = separateConflicts(tips)
      const given = new Set(tips.flatMap((tip) => [...tip.values()]))
      const known = new Set([...given, ...[...given].flatMap((id) => [...authChain(id, room.events)])])
      const resolved = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
      for (const [key, id] of unconflicted) assert.equal(resolved.get(key), id)
      for (const [key, id] of resolved) {
        assert.ok(known.has(id), `${key} ${id}`)
        const event = room.events.get(id)!
        assert.deepEqual(unpackStateKey(key), [event.pdu.type, event.pdu.state_key])
        const implied = room.rules.roomIdIsCreateHash ? [createEventIdOf(event.roomId)] : []
        const own = authStateOf([...event.authEventIds, ...implied].map((authId) => room.events.get(authId)!))
        assert.equal(authorizeEvent(room.rules, event, own, () => false).ok, true)
      }
    }),
    { numRuns: 100 },
  )
})

/**
 * Not true of every event: who sets a topic and then leaves has left a topic that the result would not allow, on one
 * branch as on two. It holds where nobody moves but by others' power, for what is no power event. And the result
 * stands for the whole state only where it says something: the iterative auth checks take what the state so far lacks
 * from the event's own auth events, so that somebody whose join and kick both fail the replay (a kick conflicts with
 * levels that make its target as strong as its sender, the join with new join rules) may still set the topic.
 */
test('a conflicted topic in the result is allowed by the result and, where that has nothing, by its own auth events', async () => {
  let topics = 0
  const still: readonly Action['kind'][] = ['topic', 'kick', 'ban', 'levels', 'rules']
  const quiet = storyOf(['2', '6', '11', '12']).map(({ version, rounds }) => ({
    version,
    rounds: rounds.slice(0, 1).map((forks) =>
      forks.map(({ start, actions }) => ({
        start,
        actions: actions.filter(
          ({ kind, actor, target }) => still.includes(kind) && !(kind === 'kick' && actor === target),
        ),
      })),
    ),
  }))
  await fc.assert(
    fc.asyncProperty(quiet, async (story) => {
      const { room, tips } = await tell(story)
      const resolved = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
      const key = packStateKey('m.room.topic', '')
      const id = resolved.get(key)
      if (id === undefined || separateConflicts(tips).unconflicted.has(key)) return
      topics++
      const topic = room.events.get(id)!
      const state = [...topic.authEventIds, ...resolved.values()].map((eventId) => room.events.get(eventId)!)
      assert.equal(authorizeEvent(room.rules, topic, authStateOf(state), () => false).ok, true)
    }),
    { numRuns: 300 },
  )
  assert.ok(topics > 20, `only ${topics} topics were looked at`)
})

/** Which state events cite which, as a store would index them. */
function citersOf(room: TestRoom, unconflicted: StateMap): CiterSource {
  const citers = new Map<EventId, StateEntry[]>()
  for (const { eventId, authEventIds, pdu } of room.events.values()) {
    for (const id of authEventIds) {
      citers.set(id, [...(citers.get(id) ?? []), { type: pdu.type, stateKey: pdu.state_key!, eventId }])
    }
  }
  return {
    findCiters: async (ids) => new Map(ids.map((id) => [id, citers.get(id) ?? []])),
    readUnconflicted: async (keys) => keys.map((pair) => unconflicted.get(packStateKey(...pair))),
  }
}

test('what the unconflicted state reaches is found the same from below and from above', async () => {
  await fc.assert(
    fc.asyncProperty(storyOf(['11', '12']), async (story) => {
      const { room, tips } = await tell(story)
      const { unconflicted, conflicted } = separateConflicts(tips)
      const ids = [...room.events.keys()]
      const down = await findReachedByWalkingDown(ids, unconflicted.values(), sourceOf(room.events))
      const citers = citersOf(room, unconflicted)
      const up = await findReachedByWalkingUp(ids, citers)
      assert.deepEqual([...up].sort(), [...down].sort())
      const difference = {
        setCount: tips.length,
        conflicted,
        readUnconflicted: (keys: readonly StateKeyPair[]) => citers.readUnconflicted(keys),
        findReachedFromUnconflicted: (candidates: readonly EventId[]) =>
          findReachedByWalkingUp(candidates, citers),
      }
      const entries = await resolveState(room.rules, difference, sourceOf(room.events), TOOLS)
      const expected = await resolveStateMaps(room.rules, tips, sourceOf(room.events), TOOLS)
      assert.deepEqual(sorted(new Map([...unconflicted, ...stateMapOf(entries)])), sorted(expected))
    }),
    { numRuns: 150 },
  )
})
