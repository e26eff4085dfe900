import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createSteppedClock } from '../delayed/test-clock.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople, type People, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent
const HOUR_MS = 3_600_000

interface Page {
  readonly chunk: readonly JsonObject[]
  readonly start: string
  readonly end?: string
  readonly state?: readonly JsonObject[]
}

const bodyOf = (event: JsonObject): unknown => (event['content'] as JsonObject)['body']
const bodiesOf = (events: readonly JsonObject[]): unknown[] =>
  events.filter(({ type }) => type === 'm.room.message').map(bodyOf)

async function page(who: Person, { room }: People, query: Record<string, string>): Promise<Page> {
  const found = await who.call('GET', `${room}/messages?${new URLSearchParams(query).toString()}`)
  return found as unknown as Page
}

/** Follows `end` until there is none, and gives all events with the number of pages. */
async function pages(who: Person, people: People, query: Record<string, string>): Promise<JsonObject[][]> {
  const read: JsonObject[][] = []
  for (let next: string | undefined = query['from'] ?? ''; next !== undefined;) {
    const one: Page = await page(who, people, { ...query, ...(next === '' ? {} : { from: next }) })
    read.push([...one.chunk])
    next = one.end
  }
  return read
}

async function chat(people: People, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < count; at++)
    ids.push(await (at % 2 === 0 ? people.alice : people.bob).say(people.roomId, `m${at}`))
  return ids
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: Math.abs(to - from) }, (_, at) => `m${from < to ? from + at : from - at}`)

for (const driver of await findServerDrivers()) {
  describe(`reading a room's past on ${driver.name}`, { skip: driver.skip }, () => {
    it('pages through everything in both directions, each event once', async () => {
      await using people = await openPeople(driver)
      await chat(people, 20)
      const back = await pages(people.alice, people, { dir: 'b', limit: '4' })
      const forth = await pages(people.alice, people, { dir: 'f', limit: '7' })
      assert.ok(back.length > 5 && back.every((chunk) => chunk.length <= 4))
      assert.deepEqual(bodiesOf(back.flat()), range(19, -1))
      assert.deepEqual(bodiesOf(forth.flat()), range(0, 20))
      const ids = (read: JsonObject[][]) => read.flat().map(({ event_id: id }) => id)
      assert.deepEqual(ids(back).toReversed(), ids(forth))
      assert.equal(forth[0]![0]!['type'], 'm.room.create')
      assert.equal(new Set(ids(forth)).size, ids(forth).length)
    })

    it('stays open up to the end of their stay to who was banned, or let off again, after it', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      await alice.say(roomId, 'with bob')
      await bob.call('POST', `${room}/leave`, {})
      await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: 'without bob' })
      await alice.say(roomId, 'without bob')
      for (const how of ['ban', 'unban']) {
        await alice.call('POST', `${room}/${how}`, { user_id: bob.userId })
        const { chunk } = await page(bob, people, { dir: 'b' })
        assert.deepEqual(bodiesOf(chunk), ['with bob'], how)
        const state = (await bob.call('GET', `${room}/state`)) as unknown as JsonObject[]
        assert.ok(!state.some(({ type }) => type === 'm.room.topic'), how)
      }
    })

    it('begins where a page or a sync ended, and stops at `to`', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      await chat(people, 5)
      const { next_batch: middle } = await alice.sync()
      await chat(people, 3)
      const { next_batch: end } = await alice.sync()
      const read = async (query: Record<string, string>) =>
        bodiesOf((await page(alice, people, { limit: '100', ...query })).chunk)
      assert.deepEqual(await read({ dir: 'b', from: end as string, to: middle as string }), range(2, -1))
      assert.deepEqual(await read({ dir: 'f', from: middle as string, to: end as string }), range(0, 3))
      assert.deepEqual(await read({ dir: 'b', from: middle as string }), range(4, -1))
      const two = await page(alice, people, { dir: 'b', limit: '2' })
      assert.deepEqual(bodiesOf(two.chunk), ['m2', 'm1'])
      assert.deepEqual(await read({ dir: 'f', from: two.end! }), ['m1', 'm2'])
      assert.deepEqual(await read({ dir: 'b', from: two.start, to: two.end! }), ['m2', 'm1'])
    })

    it('filters by type, sender and URL without losing its place', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      await chat(people, 12)
      await alice.say(roomId, 'picture', { url: 'mxc://test.example/abc' })
      await bob.say(roomId, 'wave', {}, 'org.example.wave')
      const read = async (filter: JsonObject, limit = '3') => {
        const found = await pages(alice, people, { dir: 'b', limit, filter: JSON.stringify(filter) })
        return found.flat().map((event) => bodyOf(event) ?? event['type'])
      }
      assert.deepEqual(await read({ types: ['org.example.*'] }), ['wave'])
      const own = { types: ['m.room.message'], senders: [bob.userId] }
      assert.deepEqual(await read(own), ['m11', 'm9', 'm7', 'm5', 'm3', 'm1'])
      assert.deepEqual(await read({ ...own, senders: [], not_senders: [bob.userId] }), [])
      assert.deepEqual(await read({ contains_url: true }), ['picture'])
      const rest = await read({ not_types: ['m.room.*'], contains_url: false })
      assert.deepEqual(rest, ['wave'])
      assert.deepEqual(await read({ ...own, not_rooms: [roomId] }), [])
      assert.deepEqual(await read({ ...own, rooms: ['!other:test.example'] }), [])
      assert.equal((await read({ ...own, rooms: [roomId] })).length, 6)
      const limited = await page(alice, people, { dir: 'b', filter: JSON.stringify({ limit: 2 }) })
      assert.equal(limited.chunk.length, 2)
    })

    it('leaves out what ignored people say, however it is read, and keeps their state', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      const ids = await chat(people, 6)
      await bob.call('PUT', `/profile/${escaped(bob.userId)}/displayname`, { displayname: 'Robert' })
      const ignoring = { ignored_users: { [bob.userId]: {} } }
      const list = `/user/${escaped(alice.userId)}/account_data/m.ignored_user_list`
      await alice.call('PUT', list, ignoring)
      for (const dir of ['b', 'f']) {
        const chunk = (await pages(alice, people, { dir, limit: '2' })).flat()
        assert.deepEqual(new Set(bodiesOf(chunk)), new Set(['m0', 'm2', 'm4']))
        assert.ok(chunk.some(({ type, sender }) => type === 'm.room.member' && sender === bob.userId))
      }
      const context = await alice.call('GET', `${room}/context/${escaped(ids[2]!)}?limit=4`)
      assert.deepEqual(bodiesOf(context['events_before'] as JsonObject[]), ['m0'])
      assert.deepEqual(bodiesOf(context['events_after'] as JsonObject[]), ['m4'])
      await alice.call('PUT', list, { ignored_users: {} })
      assert.equal(bodiesOf((await page(alice, people, { dir: 'b' })).chunk).length, 6)
    })

    it('gives the memberships of who speaks to clients that load members lazily', async () => {
      await using people = await openPeople(driver)
      const carol = await people.register('carol')
      await carol.call('POST', `${people.room}/join`, {})
      await people.bob.say(people.roomId, 'hello')
      const filter = JSON.stringify({ lazy_load_members: true, types: ['m.room.message'] })
      const { state } = await page(people.alice, people, { dir: 'b', filter })
      assert.deepEqual(
        state!.map((event) => [event['type'], event['state_key']]),
        [['m.room.member', people.bob.userId]],
      )
      const { state: none } = await page(people.alice, people, { dir: 'b' })
      assert.equal(none, undefined)
    })

    it('says what is wrong with a request, and lets no stranger in', async () => {
      await using people = await openPeople(driver)
      const carol = await people.register('carol')
      const answer = async (who: Person, rest: string) => {
        const { status, body } = await who.ask('GET', `${people.room}/${rest}`)
        return [status, body['errcode']]
      }
      assert.deepEqual(await answer(people.alice, 'messages'), [400, 'M_MISSING_PARAM'])
      assert.deepEqual(await answer(people.alice, 'messages?dir=x'), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await answer(people.alice, 'messages?dir=b&from=yesterday'), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await answer(carol, 'messages?dir=b'), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await answer(carol, 'members'), [403, 'M_FORBIDDEN'])
      const [id] = await chat(people, 1)
      for (const kind of ['event', 'context'])
        assert.deepEqual(await answer(carol, `${kind}/${escaped(id!)}`), [404, 'M_NOT_FOUND'])
    })
  })

  describe(`the context of an event on ${driver.name}`, { skip: driver.skip }, () => {
    it('shows what came before and after, the state there, and goes on from either end', async () => {
      await using people = await openPeople(driver)
      const { alice, room, roomId } = people
      const ids = await chat(people, 12)
      await alice.call('PUT', `${room}/state/m.room.topic`, { topic: 'later' })
      const around = await alice.call('GET', `${room}/context/${escaped(ids[6]!)}?limit=6`)
      assert.equal((around['event'] as JsonObject)['event_id'], ids[6])
      assert.deepEqual(bodiesOf(around['events_before'] as JsonObject[]), ['m5', 'm4', 'm3'])
      assert.deepEqual(bodiesOf(around['events_after'] as JsonObject[]), ['m7', 'm8', 'm9'])
      const types = (around['state'] as JsonObject[]).map(({ type }) => type)
      assert.ok(types.includes('m.room.create') && !types.includes('m.room.topic'))
      const before = await page(alice, people, { dir: 'b', from: around['start'] as string, limit: '3' })
      assert.deepEqual(bodiesOf(before.chunk), ['m2', 'm1', 'm0'])
      const after = await page(alice, people, { dir: 'f', from: around['end'] as string, limit: '2' })
      assert.deepEqual(bodiesOf(after.chunk), ['m10', 'm11'])
      const topic = (await page(alice, people, { dir: 'b', limit: '1' })).chunk[0]!['event_id'] as string
      const last = await alice.call('GET', `${room}/context/${escaped(topic)}?limit=2`)
      const state = last['state'] as JsonObject[]
      assert.deepEqual(state.find(({ type }) => type === 'm.room.topic')!['event_id'], topic)
      assert.equal(roomId, (last['event'] as JsonObject)['room_id'])
    })

    it('keeps to a limit of nothing, to a filter, and to lazily loaded members', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      const carol = await people.register('carol')
      await carol.call('POST', `${room}/join`, {})
      const ids = await chat(people, 6)
      const at = `${room}/context/${escaped(ids[2]!)}`
      const alone = await alice.call('GET', `${at}?limit=0`)
      assert.deepEqual([alone['events_before'], alone['events_after']], [[], []])
      const filter = escaped(JSON.stringify({ senders: [bob.userId], lazy_load_members: true }))
      const filtered = await alice.call('GET', `${at}?limit=20&filter=${filter}`)
      assert.deepEqual(bodiesOf(filtered['events_before'] as JsonObject[]), ['m1'])
      assert.deepEqual(bodiesOf(filtered['events_after'] as JsonObject[]), ['m3', 'm5'])
      const keysOf = (context: JsonObject, type: string) =>
        (context['state'] as JsonObject[])
          .filter((event) => event['type'] === type)
          .map((event) => event['state_key'])
      assert.deepEqual(keysOf(filtered, 'm.room.member'), [bob.userId], 'the state by bob, as the messages')
      assert.deepEqual(keysOf(filtered, 'm.room.create'), [])
      const lazily = escaped(JSON.stringify({ lazy_load_members: true }))
      const lazy = await alice.call('GET', `${at}?limit=4&filter=${lazily}`)
      assert.deepEqual(new Set(keysOf(lazy, 'm.room.member')), new Set([alice.userId, bob.userId]))
      assert.deepEqual(keysOf(lazy, 'm.room.create'), [''], 'with all that is no member')
      const elsewhere = escaped(JSON.stringify({ not_rooms: [people.roomId] }))
      const nothing = await alice.call('GET', `${at}?limit=4&filter=${elsewhere}`)
      assert.deepEqual([nothing['events_before'], nothing['events_after'], nothing['state']], [[], [], []])
    })

    it('finds what was said at a time, before it or after, of what the reader may see', async () => {
      const clock = createSteppedClock()
      const state = [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }]
      await using people = await openPeople(driver, { clock, room: { initial_state: state } })
      const { server, alice, roomId, room } = people
      const carol = await people.register('carol')
      const said: string[] = []
      const times: number[] = []
      for (const body of ['one', 'two', 'three']) {
        clock.advance(HOUR_MS)
        if (body === 'three') await carol.call('POST', `${room}/join`, {})
        said.push(await alice.say(roomId, body))
        times.push(clock.now())
      }
      const find = async (
        who: Person,
        ts: number,
        dir: string,
        path = '/_matrix/client/v1',
      ): Promise<unknown> => {
        const url = `${path}${room}/timestamp_to_event?ts=${Math.round(ts)}&dir=${dir}`
        const answer = await server.request('GET', url, { token: who.token })
        return answer.status === 200 ? answer.json()['event_id'] : answer.json()['errcode']
      }
      const half = HOUR_MS / 2
      assert.equal(await find(alice, times[1]! - half, 'f'), said[1])
      assert.equal(await find(alice, times[1]! + half, 'b'), said[1])
      assert.equal(await find(alice, times[2]! + half, 'f'), 'M_NOT_FOUND')
      assert.equal(
        await find(alice, times[1]! - half, 'f', '/_matrix/client/unstable/org.matrix.msc3030'),
        said[1],
      )
      assert.equal(await find(carol, times[2]! + half, 'b'), said[2])
      assert.notEqual(await find(carol, times[0]! - half, 'f'), said[0], 'from before she came')
      assert.equal(await find(alice, times[1]!, 'sideways'), 'M_INVALID_PARAM')
      const stranger = await people.register('dan')
      assert.equal(await find(stranger, times[1]!, 'b'), 'M_FORBIDDEN')
    })

    it('hides what was said before somebody came, where history is for members', async () => {
      const state = [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }]
      await using people = await openPeople(driver, { room: { initial_state: state } })
      const carol = await people.register('carol')
      const before = await people.alice.say(people.roomId, 'secret')
      await carol.call('POST', `${people.room}/join`, {})
      const after = await people.alice.say(people.roomId, 'welcome')
      for (const kind of ['event', 'context']) {
        assert.equal((await carol.ask('GET', `${people.room}/${kind}/${escaped(before)}`)).status, 404)
        assert.equal((await carol.ask('GET', `${people.room}/${kind}/${escaped(after)}`)).status, 200)
      }
      const around = await carol.call('GET', `${people.room}/context/${escaped(after)}?limit=50`)
      assert.deepEqual(bodiesOf(around['events_before'] as JsonObject[]), [])
      assert.deepEqual(bodiesOf((await page(carol, people, { dir: 'b', limit: '50' })).chunk), ['welcome'])
    })
  })

  describe(`the members of a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('are listed now and as they were, by what they are and are not', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      const [carol, dan] = [await people.register('carol'), await people.register('dan')]
      const { next_batch: then } = await alice.sync()
      await carol.call('POST', `${room}/join`, {})
      await alice.call('POST', `${room}/invite`, { user_id: dan.userId })
      await bob.call('POST', `${room}/leave`, {})
      const list = async (query: Record<string, string>, who = alice) => {
        const { chunk } = await who.call('GET', `${room}/members?${new URLSearchParams(query).toString()}`)
        return Object.fromEntries(
          (chunk as JsonObject[]).map((event) => [
            (event['state_key'] as string).slice(1).split(':')[0],
            (event['content'] as JsonObject)['membership'],
          ]),
        )
      }
      assert.deepEqual(await list({}), { alice: 'join', bob: 'leave', carol: 'join', dan: 'invite' })
      assert.deepEqual(await list({ membership: 'join' }), { alice: 'join', carol: 'join' })
      assert.deepEqual(await list({ not_membership: 'leave' }), {
        alice: 'join',
        carol: 'join',
        dan: 'invite',
      })
      assert.deepEqual(await list({ membership: 'ban' }), {})
      assert.deepEqual(await list({ at: then as string }), { alice: 'join', bob: 'join' })
      assert.deepEqual(await list({ at: then as string, not_membership: 'join' }), {})
      await carol.call('POST', `${room}/leave`, {})
      assert.deepEqual((await list({}, bob))['carol'], 'join', 'who left sees the room as they left it')
      const { joined } = await alice.call('GET', `${room}/joined_members`)
      assert.deepEqual(joined, { [alice.userId]: { display_name: 'alice', avatar_url: null } })
      assert.equal((await bob.ask('GET', `${room}/joined_members`)).status, 403)
      const own = `${room}/state/m.room.member/${escaped(alice.userId)}`
      await alice.call('PUT', own, { membership: 'join', displayname: 7, avatar_url: {} })
      const later = (await alice.call('GET', `${room}/joined_members`))['joined']
      assert.deepEqual(later, { [alice.userId]: { display_name: null, avatar_url: null } })
    })
  })
}
