import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { eventsIn, openPeople, type People, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent

const bodyOf = (event: JsonObject): unknown => (event['content'] as JsonObject)['body']
const bodiesOf = (events: readonly JsonObject[]): unknown[] =>
  events.filter(({ type }) => type === 'm.room.message').map(bodyOf)

/** A room's section in a sync; undefined where the sync does not speak of it. */
function sectionOf(sync: JsonObject, kind: 'join' | 'leave', roomId: string): JsonObject | undefined {
  const rooms = (sync['rooms'] as JsonObject | undefined)?.[kind] as JsonObject | undefined
  return rooms?.[roomId] as JsonObject | undefined
}

const timelineOf = (sync: JsonObject, roomId: string): JsonObject[] =>
  eventsIn(sync, 'rooms', 'join', roomId, 'timeline')
const stateOf = (sync: JsonObject, roomId: string): JsonObject[] =>
  eventsIn(sync, 'rooms', 'join', roomId, 'state')
const membersIn = (events: readonly JsonObject[]): unknown[] =>
  events.filter(({ type }) => type === 'm.room.member').map((event) => event['state_key'])

const withFilter = (filter: JsonObject): Record<string, string> => ({ filter: JSON.stringify(filter) })

async function joinedBy(people: People, ...names: readonly string[]): Promise<Person[]> {
  const persons: Person[] = []
  for (const name of names) {
    const person = await people.register(name)
    await person.call('POST', `${people.room}/join`, {})
    persons.push(person)
  }
  return persons
}

for (const driver of await findServerDrivers()) {
  describe(`lazily loaded members on ${driver.name}`, { skip: driver.skip }, () => {
    const lazy = (more: JsonObject = {}) =>
      withFilter({ room: { state: { lazy_load_members: true, ...more }, timeline: { limit: 1 } } })

    it('are those who speak and the reader, each told once', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const [carol] = await joinedBy(people, 'carol', 'dan')
      await bob.say(roomId, 'hello')
      const eve = await people.register('eve')
      await eve.call('POST', `${people.room}/join`, {})
      await bob.say(roomId, 'hello again')
      const first = await eve.sync(lazy())
      assert.deepEqual(new Set(membersIn(stateOf(first, roomId))), new Set([bob.userId, eve.userId]))
      await carol!.say(roomId, 'from carol')
      assert.deepEqual(membersIn(stateOf(await eve.sync(lazy()), roomId)), [carol!.userId])
      await carol!.say(roomId, 'once more')
      await bob.say(roomId, 'and bob')
      assert.deepEqual(
        membersIn(stateOf(await eve.sync(lazy()), roomId)),
        [],
        'carol and bob were told of before',
      )
      await alice.say(roomId, 'from alice')
      assert.deepEqual(membersIn(stateOf(await eve.sync(lazy()), roomId)), [alice.userId])
    })

    it('are told again and again to who asks for redundant ones', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const query = lazy({ include_redundant_members: true })
      for (let at = 0; at < 2; at++) {
        await bob.say(roomId, `hello ${at}`)
        assert.deepEqual(membersIn(stateOf(await alice.sync(query), roomId)), [bob.userId])
      }
    })

    it('are told anew when they change their name, and whole lists come without the filter', async () => {
      await using people = await openPeople(driver)
      const { bob, alice, roomId } = people
      await bob.say(roomId, 'hello')
      await alice.sync(lazy())
      await bob.call('PUT', `/profile/${escaped(bob.userId)}/displayname`, { displayname: 'Bobby' })
      // Rooms learn of a new name in their own time, after the profile was answered for.
      const names: unknown[] = []
      while (names.length === 0) {
        await bob.say(roomId, 'it is me')
        const changed = await alice.sync(lazy())
        const told = [...stateOf(changed, roomId), ...timelineOf(changed, roomId)]
        for (const event of told) {
          const { displayname } = event['content'] as JsonObject
          if (event['type'] === 'm.room.member') names.push(displayname)
        }
      }
      assert.deepEqual(names, ['Bobby'])
      const whole = await alice.firstSync(withFilter({ room: { timeline: { limit: 1 } } }))
      assert.deepEqual(new Set(membersIn(stateOf(whole, roomId))), new Set([alice.userId, bob.userId]))
    })
  })

  describe(`timelines on ${driver.name}`, { skip: driver.skip }, () => {
    const short = withFilter({ room: { timeline: { limit: 3 } } })

    it('are limited at the gap, bring the state changed in it, and are filled through prev_batch', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const before = (await alice.sync(short))['next_batch'] as string
      for (let at = 0; at < 4; at++) await bob.say(roomId, `m${at}`)
      await alice.call('PUT', `${room}/state/m.room.topic`, { topic: 'in the gap' })
      for (let at = 4; at < 10; at++) await bob.say(roomId, `m${at}`)
      const sync = await alice.sync(short)
      const { limited, prev_batch: gap } = sectionOf(sync, 'join', roomId)!['timeline'] as JsonObject
      assert.equal(limited, true)
      assert.deepEqual(bodiesOf(timelineOf(sync, roomId)), ['m7', 'm8', 'm9'])
      assert.deepEqual(
        stateOf(sync, roomId).map(({ type, content }) => [type, (content as JsonObject)['topic']]),
        [['m.room.topic', 'in the gap']],
      )
      const filling: JsonObject[] = []
      for (let from = gap as string | undefined; from !== undefined;) {
        const query = new URLSearchParams({ dir: 'b', limit: '3', from, to: before }).toString()
        const page = await alice.call('GET', `${room}/messages?${query}`)
        filling.push(...(page['chunk'] as JsonObject[]))
        from = page['end'] as string | undefined
      }
      assert.deepEqual(bodiesOf(filling), ['m6', 'm5', 'm4', 'm3', 'm2', 'm1', 'm0'])
      assert.equal(filling.length, 8, 'and the topic, and nothing of before')
      await bob.say(roomId, 'm10')
      const next = await alice.sync(short)
      assert.equal((sectionOf(next, 'join', roomId)!['timeline'] as JsonObject)['limited'], false)
      assert.deepEqual(bodiesOf(timelineOf(next, roomId)), ['m10'])
    })

    it('bring nothing that did not change, and all of the state when it is asked for', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      await alice.sync()
      assert.equal(sectionOf(await alice.sync(), 'join', roomId), undefined)
      const full = await alice.sync({ full_state: 'true' })
      const types = stateOf(full, roomId).map(({ type }) => type)
      for (const type of ['m.room.create', 'm.room.power_levels', 'm.room.join_rules', 'm.room.member'])
        assert.ok(types.includes(type), type)
      assert.deepEqual(new Set(membersIn(stateOf(full, roomId))), new Set([alice.userId, bob.userId]))
      assert.deepEqual(timelineOf(full, roomId), [])
    })
  })

  describe(`rooms left, on ${driver.name}`, { skip: driver.skip }, () => {
    it('are told of once, up to the leave, by whoever it was, and begin anew when they are joined again', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      for (const [how, who] of [
        ['leave', bob],
        ['kick', alice],
        ['ban', alice],
      ] as const) {
        await bob.sync()
        await alice.say(roomId, `before the ${how}`)
        await who.call('POST', `${room}/${how}`, how === 'leave' ? {} : { user_id: bob.userId })
        await alice.say(roomId, 'after it')
        const sync = await bob.sync()
        const left = eventsIn(sectionOf(sync, 'leave', roomId)!, 'timeline')
        assert.deepEqual(bodiesOf(left), [`before the ${how}`])
        const own = left.at(-1)!
        assert.deepEqual([own['state_key'], own['sender']], [bob.userId, who.userId])
        assert.equal(sectionOf(sync, 'join', roomId), undefined)
        assert.equal(sectionOf(await bob.sync(), 'leave', roomId), undefined)
        if (how === 'ban') break
        await bob.call('POST', `${room}/join`, {})
        const again = await bob.sync()
        const { limited } = sectionOf(again, 'join', roomId)!['timeline'] as JsonObject
        assert.equal(limited, true)
        assert.ok(stateOf(again, roomId).length + timelineOf(again, roomId).length > 5, 'with its state')
      }
    })

    it('are told with what became of the reader since, and with nothing else of that time', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      await bob.sync()
      await alice.call('POST', `${room}/kick`, { user_id: bob.userId })
      await alice.say(roomId, 'without bob')
      await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: 'without bob' })
      await alice.call('POST', `${room}/ban`, { user_id: bob.userId })
      const all = withFilter({ room: { include_leave: true } })
      const after = { use_state_after: 'true' }
      for (const sync of [
        await bob.firstSync(all),
        await bob.firstSync({ ...all, ...after }),
        await bob.sync(after),
      ]) {
        const left = sectionOf(sync, 'leave', roomId)!
        const timeline = eventsIn(left, 'timeline')
        const memberships = timeline.filter(({ state_key: key }) => key === bob.userId)
        const told = memberships.map(({ content }) => (content as JsonObject)['membership'])
        assert.deepEqual(told.slice(-2), ['leave', 'ban'])
        assert.deepEqual(bodiesOf(timeline), [])
        const state = [...eventsIn(left, 'state'), ...eventsIn(left, 'state_after')]
        assert.ok(!state.some(({ type }) => type === 'm.room.topic'), 'nothing that came after the kick')
        const own = state.filter(({ state_key: key }) => key === bob.userId)
        const standing = own.map(({ content }) => (content as JsonObject)['membership'])
        // Beside the timeline, state is that before it: the reader's last word is in the timeline.
        assert.deepEqual(standing, 'state_after' in left ? ['ban'] : [])
      }
      assert.equal(sectionOf(await bob.sync(), 'leave', roomId), undefined)
      for (const limit of [0, 1, 2]) {
        const few = withFilter({ room: { include_leave: true, timeline: { limit } } })
        const timeline = eventsIn(sectionOf(await bob.firstSync(few), 'leave', roomId)!, 'timeline')
        const told = timeline.map(({ content }) => (content as JsonObject)['membership'])
        assert.deepEqual(told, ['leave', 'ban'].slice(2 - limit))
      }
    })

    it('are told by the leave alone to who was never in them, whether invited or knocking', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const knock = { type: 'm.room.join_rules', content: { join_rule: 'knock' } }
      const { room_id: made } = await alice.call('POST', '/createRoom', {
        preset: 'private_chat',
        initial_state: [knock],
      })
      const roomId = made as string
      const room = `/rooms/${escaped(roomId)}`
      for (const [how, end, who] of [
        ['invite', 'leave', bob],
        ['invite', 'kick', alice],
        ['knock', 'leave', bob],
        ['knock', 'kick', alice],
      ] as const) {
        if (how === 'knock') await bob.call('POST', `/knock/${escaped(roomId)}`, {})
        else await alice.call('POST', `${room}/invite`, { user_id: bob.userId })
        await bob.sync()
        await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: `${how}, ${end}` })
        await who.call('POST', `${room}/${end}`, end === 'leave' ? {} : { user_id: bob.userId })
        const asked = await bob.firstSync(withFilter({ room: { include_leave: true } }))
        for (const sync of [await bob.sync(), asked]) {
          const left = sectionOf(sync, 'leave', roomId)!
          const events = eventsIn(left, 'timeline')
          assert.deepEqual(
            events.map(({ type, sender, state_key: key }) => [type, sender, key]),
            [['m.room.member', who.userId, bob.userId]],
            `${how}, ${end}`,
          )
          assert.deepEqual((events[0]!['content'] as JsonObject)['membership'], 'leave')
          assert.deepEqual(eventsIn(left, 'state'), [], 'nothing of the room')
        }
        assert.equal(sectionOf(await bob.sync(), 'leave', roomId), undefined)
      }
    })

    it('are part of a first sync only for who asks for them', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      await bob.call('POST', `${room}/leave`, {})
      await alice.say(roomId, 'without bob')
      assert.equal(sectionOf(await bob.firstSync(), 'leave', roomId), undefined)
      const left = sectionOf(
        await bob.firstSync(withFilter({ room: { include_leave: true } })),
        'leave',
        roomId,
      )!
      const timeline = eventsIn(left, 'timeline')
      assert.deepEqual(timeline.at(-1)!['state_key'], bob.userId)
      assert.deepEqual(bodiesOf(timeline), [])
    })
  })

  describe(`sync filters on ${driver.name}`, { skip: driver.skip }, () => {
    it('choose rooms, whole or by section', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId } = people
      const { room_id: other } = await alice.call('POST', '/createRoom', {})
      const told = async (room: JsonObject) =>
        Object.keys(
          (((await alice.firstSync(withFilter({ room })))['rooms'] as JsonObject)?.['join'] as JsonObject) ??
            {},
        )
      assert.deepEqual(new Set(await told({})), new Set([roomId, other]))
      assert.deepEqual(await told({ rooms: [roomId] }), [roomId])
      assert.deepEqual(await told({ not_rooms: [roomId] }), [other])
      assert.deepEqual(await told({ rooms: [roomId], not_rooms: [roomId] }), [])
      const state = await alice.firstSync(
        withFilter({ room: { state: { not_rooms: [roomId] }, timeline: { limit: 1 } } }),
      )
      assert.deepEqual(stateOf(state, roomId), [])
      assert.notDeepEqual(stateOf(state, other as string), [])
    })

    it('choose events by type and sender, in timeline, state and account data, given or stored', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      await alice.call('PUT', `${room}/state/m.room.topic`, { topic: 'x' })
      await bob.say(roomId, 'from bob')
      await alice.say(roomId, 'from alice')
      await alice.say(roomId, 'wave', {}, 'org.example.wave')
      const user = `/user/${escaped(alice.userId)}`
      await alice.call('PUT', `${user}/account_data/org.example.a`, { a: 1 })
      await alice.call('PUT', `${user}/account_data/org.example.b`, { b: 1 })
      const definition = {
        account_data: { types: ['org.example.a'] },
        room: {
          timeline: { types: ['m.room.message', 'org.*'], not_senders: [bob.userId], limit: 20 },
          state: { types: ['m.room.create'], not_types: ['m.room.member'] },
        },
      }
      const { filter_id: stored } = await alice.call('POST', `${user}/filter`, definition)
      for (const query of [withFilter(definition), { filter: stored as string }]) {
        const sync = await alice.firstSync(query)
        assert.deepEqual(timelineOf(sync, roomId).map(bodyOf), ['from alice', 'wave'])
        assert.ok(stateOf(sync, roomId).every(({ type }) => type === 'm.room.create'))
        assert.deepEqual(
          eventsIn(sync, 'account_data').map(({ type }) => type),
          ['org.example.a'],
        )
      }
      const { status, body } = await alice.ask('GET', '/sync?filter=%7B%22room%22%3A5%7D')
      assert.deepEqual([status, body['errcode']], [400, 'M_BAD_JSON'])
      const unknown = await alice.ask('GET', '/sync?filter=nosuchfilter')
      assert.deepEqual([unknown.status, unknown.body['errcode']], [404, 'M_NOT_FOUND'])
    })
  })
}
