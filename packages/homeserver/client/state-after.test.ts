import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { eventsIn, openPeople, type People, type Person } from '../user-data/test-people.ts'

const AFTER = { use_state_after: 'true' }

const withTimeline = (timeline: JsonObject, state: JsonObject = {}): Record<string, string> => ({
  ...AFTER,
  filter: JSON.stringify({ room: { timeline, state } }),
})

const keyOf = (event: JsonObject): string => `${event['type'] as string} ${event['state_key'] as string}`

/** A client that knows a room's state by what `state_after` tells and by nothing else. */
function createReplica(person: Person, roomId: string) {
  const state = new Map<string, unknown>()
  return {
    async sync(query: Record<string, string>): Promise<readonly string[]> {
      const events = eventsIn(await person.sync(query), 'rooms', 'join', roomId, 'state_after')
      for (const event of events) state.set(keyOf(event), event['event_id'])
      return events.map(keyOf)
    },
    state,
  }
}

/** The room's state, as the server has it. */
async function readState({ roomId }: People, person: Person): Promise<Map<string, unknown>> {
  const answer = await person.call('GET', `/rooms/${encodeURIComponent(roomId)}/state`)
  return new Map((answer as unknown as JsonObject[]).map((event) => [keyOf(event), event['event_id']]))
}

function roomIn(sync: JsonObject, section: 'join' | 'leave', roomId: string): JsonObject {
  return ((sync['rooms'] as JsonObject)[section] as JsonObject)[roomId] as JsonObject
}

for (const driver of await findServerDrivers()) {
  describe(`state at the end of the timeline on ${driver.name}`, { skip: driver.skip }, () => {
    for (const timeline of [{ limit: 1 }, { limit: 50 }, { limit: 5, types: ['m.room.message'] }]) {
      it(`is all that a client needs, with a timeline of ${JSON.stringify(timeline)}`, async () => {
        await using people = await openPeople(driver)
        const { alice, bob, room } = people
        const carol = await people.register('carol')
        await carol.call('POST', `${room}/join`, {})
        const replica = createReplica(carol, people.roomId)
        const query = withTimeline(timeline)
        await replica.sync(query)
        assert.deepEqual(replica.state, await readState(people, carol))
        for (let round = 0; round < 3; round++) {
          await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: `first ${round}` })
          await bob.say(people.roomId, 'hello')
          await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: `second ${round}` })
          await alice.call('PUT', `${room}/state/org.example.count/${round}`, { round })
          await (round === 1 ? bob.call('POST', `${room}/leave`, {}) : alice.say(people.roomId, 'bye'))
          if (round === 1) await bob.call('POST', `${room}/join`, {})
          await replica.sync(query)
          assert.deepEqual(replica.state, await readState(people, carol), `round ${round}`)
        }
        await alice.say(people.roomId, 'nothing changes')
        assert.deepEqual(await replica.sync(query), [])
      })
    }

    it('takes the place of what was there before it, by either name, and is there when it is empty', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId } = people
      const unstable = { 'org.matrix.msc4222.use_state_after': 'true' }
      for (const [query, name] of [
        [AFTER, 'state_after'],
        [{ ...unstable, ...AFTER }, 'state_after'],
        [unstable, 'org.matrix.msc4222.state_after'],
        [{ use_state_after: 'false' }, 'state'],
      ] as const) {
        await alice.say(roomId, 'hello')
        const told = roomIn(await alice.sync(query), 'join', roomId)
        const names = Object.keys(told).filter((key) => key.includes('state'))
        assert.deepEqual([names, told[name]], [[name], { events: [] }])
      }
    })

    it('has the memberships of who speaks, with members loaded lazily, and those that changed', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const query = withTimeline({ limit: 2 }, { lazy_load_members: true })
      const carol = await people.register('carol')
      await carol.call('POST', `${room}/join`, {})
      await carol.say(roomId, 'hello')
      const members = async (sync: JsonObject): Promise<unknown[]> =>
        eventsIn(sync, 'rooms', 'join', roomId, 'state_after')
          .filter(({ type }) => type === 'm.room.member')
          .map((event) => event['state_key'])
      // Her join stands in the timeline, out of which no state is read.
      assert.deepEqual(
        new Set(await members(await bob.firstSync(query))),
        new Set([bob.userId, carol.userId]),
      )
      await alice.sync(query)
      await carol.call('POST', `${room}/leave`, {})
      assert.deepEqual(await members(await alice.sync(query)), [carol.userId])
    })

    it('has the memberships that the timeline shows, too, with members loaded lazily', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const query = withTimeline({ limit: 20 }, { lazy_load_members: true })
      await alice.sync(query)
      const { room_id } = await alice.call('POST', '/createRoom', { invite: [bob.userId] })
      const roomId = room_id as string
      const membersIn = (sync: JsonObject): unknown[][] =>
        eventsIn(sync, 'rooms', 'join', roomId, 'state_after')
          .filter(({ type }) => type === 'm.room.member')
          .map(({ state_key: who, content }) => [who, (content as JsonObject)['membership']])
      const invited = [bob.userId, 'invite']
      assert.deepEqual(
        new Set(membersIn(await alice.sync(query))),
        new Set([[alice.userId, 'join'], invited]),
      )
      // As a client that begins anew, and as one that goes on.
      assert.deepEqual(
        membersIn(await alice.firstSync(query)).filter(([who]) => who === bob.userId),
        [invited],
      )
      await alice.say(roomId, 'hello')
      assert.deepEqual(membersIn(await alice.sync(query)), [])
    })

    it('says of who has left that they have', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const { room_id: other } = await alice.call('POST', '/createRoom', { invite: [bob.userId] })
      await bob.sync(AFTER)
      await alice.call('POST', `${room}/kick`, { user_id: bob.userId })
      await bob.call('POST', `/rooms/${encodeURIComponent(other as string)}/leave`, {})
      const sync = await bob.sync(AFTER)
      for (const left of [roomId, other as string]) {
        const own = eventsIn(sync, 'rooms', 'leave', left, 'state_after').filter(
          (event) => keyOf(event) === `m.room.member ${bob.userId}`,
        )
        assert.deepEqual(
          own.map(({ content }) => (content as JsonObject)['membership']),
          ['leave'],
        )
        assert.ok(!Object.hasOwn(roomIn(sync, 'leave', left), 'state'))
      }
    })

    it('tells what an event took the place of, as the timeline does', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const { room_id } = await bob.call('POST', '/createRoom', {
        initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
      })
      const closed = room_id as string
      await alice.call('POST', `/knock/${encodeURIComponent(closed)}`, {})
      await alice.sync(AFTER)
      await bob.call('POST', `${room}/leave`, {})
      await bob.call('POST', `/rooms/${encodeURIComponent(closed)}/kick`, { user_id: alice.userId })
      const sync = await alice.sync(AFTER)
      for (const [section, of, membership] of [
        ['join', roomId, 'join'],
        ['leave', closed, 'knock'],
      ] as const) {
        const [after] = eventsIn(sync, 'rooms', section, of, 'state_after')
        assert.deepEqual(after, eventsIn(sync, 'rooms', section, of, 'timeline').at(-1))
        const { prev_content: before } = after!['unsigned'] as { prev_content?: JsonObject }
        assert.equal(before?.['membership'], membership)
      }
    })
  })
}
