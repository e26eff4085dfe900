import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forgetSticky } from '@causeway/store/tables/sticky-events.ts'
import { clientRoutes } from '../client/routes.ts'
import { createSteppedClock, type SteppedClock } from '../delayed/test-clock.ts'
import { findServerDrivers, type TestServer } from '../test-server.ts'
import { eventsIn, openPeople, type People, type Person } from '../user-data/test-people.ts'
import { extensionIn, openSlider, window } from './sliding/test-slider.ts'

const HOUR_MS = 3_600_000
const EXTENSION = 'org.matrix.msc4354.sticky_events'
const escaped = encodeURIComponent

const bodiesOf = (events: readonly JsonObject[]): unknown[] =>
  events.map(({ content }) => (content as JsonObject)['body'])
const remaining = (event: JsonObject): unknown =>
  (event['unsigned'] as JsonObject)['msc4354_sticky_duration_ttl_ms']

for (const driver of await findServerDrivers()) {
  describe(`sticky events on ${driver.name}`, { skip: driver.skip }, () => {
    let people: People
    let server: TestServer
    let clock: SteppedClock
    before(async () => {
      clock = createSteppedClock()
      people = await openPeople(driver, { endpoints: clientRoutes, clock })
      server = people.server
    })
    after(() => server?.[Symbol.asyncDispose]())

    let count = 0
    const newRoom = async (more: JsonObject = {}): Promise<string> => {
      const { alice, bob } = people
      const made = await alice.call('POST', '/createRoom', { preset: 'public_chat', ...more })
      const roomId = made['room_id'] as string
      await bob.call('POST', `/join/${escaped(roomId)}`, {})
      await bob.sync()
      return roomId
    }
    /** Asks to send a message that is sticky for so long. */
    const ask = (who: Person, roomId: string, body: string, ms: unknown, more = '') => {
      const query = `org.matrix.msc4354.sticky_duration_ms=${String(ms)}${more}`
      const path = `/rooms/${escaped(roomId)}/send/m.room.message/k${count++}?${query}`
      return who.ask('PUT', path, { msgtype: 'm.text', body })
    }
    const stick = async (who: Person, roomId: string, body: string, ms: number): Promise<string> => {
      const answer = await ask(who, roomId, body, ms)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body['event_id'] as string
    }
    /** More than a timeline holds. */
    const talk = async (who: Person, roomId: string): Promise<void> => {
      for (let at = 0; at < 11; at++) await who.say(roomId, `talk ${at}`)
    }
    const stickyIn = (sync: JsonObject, roomId: string): JsonObject[] =>
      eventsIn(sync, 'rooms', 'join', roomId, 'msc4354_sticky')
    const timelineIn = (sync: JsonObject, roomId: string): JsonObject[] =>
      eventsIn(sync, 'rooms', 'join', roomId, 'timeline')

    it('say for how long they are, and are told in the timeline or beside it, once, for as long as they last', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      await stick(alice, roomId, 'I am here', 600_000)
      const plain = await bob.sync()
      assert.deepEqual(stickyIn(plain, roomId), [])
      const [shown] = timelineIn(plain, roomId)
      assert.deepEqual(shown!['msc4354_sticky'], { duration_ms: 600_000 })
      assert.ok((remaining(shown!) as number) > 0 && (remaining(shown!) as number) <= 600_000)
      await stick(alice, roomId, 'so am I', 300_000)
      await talk(alice, roomId)
      const gap = await bob.sync()
      assert.deepEqual(bodiesOf(stickyIn(gap, roomId)), ['so am I'])
      assert.ok(!bodiesOf(timelineIn(gap, roomId)).includes('so am I'))
      await alice.say(roomId, 'and on')
      assert.deepEqual(stickyIn(await bob.sync(), roomId), [])
      const first = stickyIn(await bob.firstSync(), roomId)
      assert.deepEqual(bodiesOf(first), ['I am here', 'so am I'])
      clock.advance(300_000)
      const later = stickyIn(await bob.firstSync(), roomId)
      assert.deepEqual(bodiesOf(later), ['I am here'])
      assert.ok((remaining(later[0]!) as number) <= 300_000)
      clock.advance(300_000)
      assert.deepEqual(stickyIn(await bob.firstSync(), roomId), [])
      const event = `/rooms/${escaped(roomId)}/event/${escaped(shown!['event_id'] as string)}`
      assert.equal(remaining(await bob.call('GET', event)), undefined)
      assert.equal(await forgetSticky(server.hs.db, clock.now(), 100), 2)
    })

    it('are told though a filter keeps them from the timeline, and not where it leaves out the room', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      await stick(alice, roomId, 'here', 600_000)
      const filter = (room: JsonObject): Record<string, string> => ({ filter: JSON.stringify({ room }) })
      const without = await bob.firstSync(filter({ timeline: { not_types: ['m.room.message'] } }))
      assert.deepEqual(bodiesOf(stickyIn(without, roomId)), ['here'])
      assert.deepEqual(stickyIn(await bob.firstSync(filter({ not_rooms: [roomId] })), roomId), [])
    })

    it('are told to whoever comes later, whatever they may see of the history, and to nobody else', async () => {
      const { alice } = people
      const history = [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
      ]
      const roomId = await newRoom({ initial_state: history })
      const eventId = await stick(alice, roomId, 'in the call', 600_000)
      const plainId = await alice.say(roomId, 'said before')
      const carol = await people.register(`carol-${count}`)
      await carol.sync()
      const read = (id: string): Promise<{ status: number }> =>
        carol.ask('GET', `/rooms/${escaped(roomId)}/event/${escaped(id)}`)
      assert.equal((await read(eventId)).status, 404)
      await carol.call('POST', `/join/${escaped(roomId)}`, {})
      const told = await carol.sync()
      const found = bodiesOf([...timelineIn(told, roomId), ...stickyIn(told, roomId)])
      assert.deepEqual(
        found.filter((body) => body !== undefined),
        ['in the call'],
      )
      assert.deepEqual(stickyIn(await carol.sync(), roomId), [])
      assert.equal((await read(eventId)).status, 200)
      assert.equal((await read(plainId)).status, 404)
      await carol.call('PUT', `/profile/${escaped(carol.userId)}/displayname`, { displayname: 'Carol' })
      let renamed: JsonObject
      do renamed = await carol.sync({ timeout: '60000' })
      while (!timelineIn(renamed, roomId).some(({ type }) => type === 'm.room.member'))
      assert.deepEqual(stickyIn(renamed, roomId), [])
      clock.advance(600_000)
      assert.equal((await read(eventId)).status, 404)
    })

    it('are not told of people one ignores, nor once they are redacted', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      const eventId = await stick(alice, roomId, 'hm', 600_000)
      await stick(bob, roomId, 'of mine', 600_000)
      await talk(bob, roomId)
      assert.deepEqual(bodiesOf(stickyIn(await bob.firstSync(), roomId)), ['hm', 'of mine'])
      const ignored = `/user/${escaped(bob.userId)}/account_data/m.ignored_user_list`
      await bob.call('PUT', ignored, { ignored_users: { [alice.userId]: {} } })
      assert.deepEqual(bodiesOf(stickyIn(await bob.firstSync(), roomId)), ['of mine'])
      await bob.call('PUT', ignored, { ignored_users: {} })
      const redact = `/rooms/${escaped(roomId)}/redact/${escaped(eventId)}/r${count++}`
      await alice.call('PUT', redact, {})
      assert.deepEqual(bodiesOf(stickyIn(await bob.firstSync(), roomId)), ['of mine'])
      const redacted = await alice.call('GET', `/rooms/${escaped(roomId)}/event/${escaped(eventId)}`)
      assert.equal(redacted['msc4354_sticky'], undefined)
    })

    it('come with the next answers where there are more than one holds', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      // What is left of other rooms.
      clock.advance(HOUR_MS)
      const wanted: string[] = []
      for (let at = 0; at < 103; at++) {
        wanted.push(`n${at}`)
        await stick(alice, roomId, `n${at}`, 1_800_000)
      }
      await talk(alice, roomId)
      const dora = await people.register(`dora-${count}`)
      await dora.sync()
      const counts: number[] = []
      const found: unknown[] = []
      let since: string | undefined
      for (;;) {
        const answer = await bob.firstSync({ timeout: '0', ...(since === undefined ? {} : { since }) })
        since = answer['next_batch'] as string
        const told = bodiesOf(stickyIn(answer, roomId))
        if (told.length === 0) break
        counts.push(told.length)
        found.push(...told)
      }
      assert.equal(counts[0], 100)
      assert.deepEqual(found, wanted)
      // All at once, for who comes into the room.
      await dora.call('POST', `/join/${escaped(roomId)}`, {})
      assert.deepEqual(bodiesOf(stickyIn(await dora.sync(), roomId)), wanted)
      clock.advance(HOUR_MS)
    })

    it('last an hour at most, and are messages', async () => {
      const { alice } = people
      const roomId = await newRoom()
      for (const wrong of [HOUR_MS + 1, -1, 'x', 1.5]) {
        const { status, body } = await ask(alice, roomId, 'no', wrong)
        assert.deepEqual([status, body['errcode']], [400, 'M_INVALID_PARAM'])
      }
      assert.equal((await ask(alice, roomId, 'yes', HOUR_MS)).status, 200)
      const features = (await server.request('GET', '/_matrix/client/versions')).json()['unstable_features']
      assert.equal((features as JsonObject)['org.matrix.msc4354'], true)
    })

    it('are sent later, and are sticky from then on', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      const asked = await ask(alice, roomId, 'left', 1_200_000, '&org.matrix.msc4140.delay=600000')
      assert.equal(typeof asked.body['delay_id'], 'string')
      const unstable = '/_matrix/client/unstable/org.matrix.msc4140'
      const schedule = async (body: JsonObject): Promise<number> => {
        const path = `rooms/${escaped(roomId)}/delayed_event/m.room.message/d${count++}`
        const query = 'org.matrix.msc4354.sticky_duration_ms=1200000'
        const url = `${unstable}/${path}?${query}`
        return (await server.request('PUT', url, { token: alice.token, body })).status
      }
      const content = { msgtype: 'm.text', body: 'gone' }
      assert.equal(await schedule({ delay_ms: 600_000, content }), 200)
      assert.equal(await schedule({ delay_ms: 600_000, content, state_key: '' }), 400)
      await talk(alice, roomId)
      assert.deepEqual(stickyIn(await bob.sync(), roomId), [])
      clock.advance(600_000)
      await server.hs.delayed.idle()
      await talk(alice, roomId)
      const told = stickyIn(await bob.sync(), roomId)
      assert.deepEqual(bodiesOf(told), ['left', 'gone'])
      for (const event of told) assert.ok((remaining(event) as number) > 0)
    })

    it('are told over sliding sync of all rooms of a list, in its window or not', async () => {
      const { alice } = people
      const emil = await people.register(`emil-${count}`)
      const rooms: string[] = []
      for (let at = 0; at < 2; at++) {
        rooms.push(await newRoom())
        await emil.call('POST', `/join/${escaped(rooms[at]!)}`, {})
      }
      const [outside, inside] = rooms as [string, string]
      await stick(alice, outside, 'outside', 600_000)
      await stick(alice, inside, 'hidden by talk', 600_000)
      await talk(alice, inside)
      await stick(alice, inside, 'in the timeline', 600_000)
      let since: string | undefined
      const slider = openSlider(server, emil.token, {})
      const next = async (timeout?: number): Promise<Record<string, unknown[]>> => {
        const asked = { enabled: true, limit: 100, ...(since === undefined ? {} : { since }) }
        const answer = await slider.next({ ...window(0), extensions: { [EXTENSION]: asked } }, timeout)
        const { next_batch: batch, rooms: told = {} } = extensionIn(answer, EXTENSION)
        since = batch as string
        const list = Object.entries(told as Record<string, { events: JsonObject[] }>)
        return Object.fromEntries(list.map(([roomId, { events }]) => [roomId, bodiesOf(events)]))
      }
      assert.deepEqual(await next(), { [outside]: ['outside'], [inside]: ['hidden by talk'] })
      assert.deepEqual(await next(), {})
      const waiting = next(60_000)
      await stick(alice, outside, 'again', 600_000)
      // Whether it is in the timeline now that the room is in front, or beside it, is not told twice.
      const told = (await waiting)[outside] ?? []
      assert.ok(told.length <= 1)
      const later = await newRoom()
      await stick(alice, later, 'before you came', 600_000)
      await talk(alice, later)
      await emil.call('POST', `/join/${escaped(later)}`, {})
      assert.deepEqual((await next())[later], ['before you came'])
      assert.deepEqual((await next())[later], undefined)
      const wrong = { ...window(0), extensions: { [EXTENSION]: { enabled: true, since: 'x' } } }
      assert.equal((await slider.ask(wrong, {})).status, 400)
    })

    it('stay so when the server starts again', async () => {
      const { alice, bob } = people
      const roomId = await newRoom()
      await stick(alice, roomId, 'still here', 600_000)
      await talk(alice, roomId)
      server = await server.restart()
      const answer = await server.request('GET', '/_matrix/client/v3/sync', { token: bob.token })
      const [event] = stickyIn(answer.json(), roomId)
      assert.deepEqual((event!['content'] as JsonObject)['body'], 'still here')
      assert.ok((remaining(event!) as number) <= 600_000)
    })
  })
}
