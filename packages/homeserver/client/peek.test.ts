import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { clientRoutes } from './routes.ts'
import { openPeople, type People, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent

interface News {
  readonly start: string
  readonly end: string
  readonly chunk: readonly JsonObject[]
}

interface Snapshot {
  readonly membership: string
  readonly messages: { readonly start?: string; readonly end: string; readonly chunk: readonly JsonObject[] }
  readonly state: readonly JsonObject[]
  readonly visibility: string
  readonly account_data: readonly JsonObject[]
}

const bodiesOf = (events: readonly JsonObject[]): unknown[] =>
  events.flatMap(({ type, content }) => (type === 'm.room.message' ? [(content as JsonObject)['body']] : []))

const snapshotOf = async (who: Person, { room }: People, query = ''): Promise<Snapshot> =>
  (await who.call('GET', `${room}/initialSync${query}`)) as unknown as Snapshot

const newsOf = async (who: Person, roomId: string, query: Record<string, string>): Promise<News> => {
  const text = new URLSearchParams({ room_id: roomId, ...query }).toString()
  return (await who.call('GET', `/events?${text}`)) as unknown as News
}

async function openToTheWorld(people: People): Promise<void> {
  const content = { history_visibility: 'world_readable' }
  await people.alice.call('PUT', `${people.room}/state/m.room.history_visibility`, content)
}

for (const driver of await findServerDrivers()) {
  describe(`reading one room on ${driver.name}`, { skip: driver.skip }, () => {
    it('gives a member all of it at once: state, the newest events, tags, whether it is listed', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { alice, roomId, room } = people
      for (let n = 0; n < 5; n++) await alice.say(roomId, `m${n}`)
      const tag = `/user/${escaped(alice.userId)}/rooms/${escaped(roomId)}/tags/m.favourite`
      await alice.call('PUT', tag, { order: 0.5 })
      const listing = `/directory/list/room/${escaped(roomId)}`
      await alice.call('PUT', listing, { visibility: 'public' })
      const found = await snapshotOf(alice, people, '?limit=3')
      assert.equal(found.membership, 'join')
      assert.deepEqual(bodiesOf(found.messages.chunk), ['m2', 'm3', 'm4'])
      assert.equal(found.visibility, 'public')
      assert.deepEqual(found.account_data, [
        { type: 'm.tag', content: { tags: { 'm.favourite': { order: 0.5 } } } },
      ])
      const types = new Set(found.state.map(({ type }) => type))
      for (const type of ['m.room.create', 'm.room.member', 'm.room.power_levels']) assert.ok(types.has(type))
      const earlier = await alice.call('GET', `${room}/messages?dir=b&from=${found.messages.start!}&limit=2`)
      assert.deepEqual(bodiesOf(earlier['chunk'] as JsonObject[]), ['m1', 'm0'])
    })

    it('lets nobody read from outside, unless the world may', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { alice, roomId, room } = people
      const carol = await people.register('carol')
      const events = `/events?room_id=${escaped(roomId)}`
      for (const url of [`${room}/initialSync`, events]) {
        const { status, body } = await carol.ask('GET', url)
        assert.deepEqual([status, body['errcode']], [403, 'M_FORBIDDEN'])
      }
      await openToTheWorld(people)
      await alice.say(roomId, 'for everybody')
      const found = await snapshotOf(carol, people)
      assert.deepEqual(bodiesOf(found.messages.chunk), ['for everybody'])
      const { status, body } = await carol.ask('GET', `/events`)
      assert.deepEqual([status, body['errcode']], [400, 'M_MISSING_PARAM'])
      const bad = await carol.ask('GET', `${events}&from=yesterday`)
      assert.deepEqual([bad.status, bad.body['errcode']], [400, 'M_INVALID_PARAM'])
    })

    it('tells who watches what comes, each event once, and wakes them', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { alice, bob, roomId } = people
      await openToTheWorld(people)
      const carol = await people.register('carol')
      const { messages } = await snapshotOf(carol, people)
      const nothing = await newsOf(carol, roomId, { from: messages.end })
      assert.deepEqual(nothing.chunk, [])
      const waiting = newsOf(carol, roomId, { from: nothing.end, timeout: '60000' })
      await alice.say(roomId, 'first')
      const first = await waiting
      assert.deepEqual(bodiesOf(first.chunk), ['first'])
      await bob.say(roomId, 'second')
      await alice.say(roomId, 'third')
      const rest = await newsOf(carol, roomId, { from: first.end })
      assert.deepEqual(bodiesOf(rest.chunk), ['second', 'third'])
      assert.deepEqual((await newsOf(carol, roomId, { from: rest.end })).chunk, [])
    })

    it('ends with the permission to read', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { alice, room, roomId } = people
      await openToTheWorld(people)
      const carol = await people.register('carol')
      const { end } = await newsOf(carol, roomId, {})
      const events = `/events?room_id=${escaped(roomId)}&from=${end}&timeout=60000`
      const waiting = carol.ask('GET', events)
      await alice.call('PUT', `${room}/state/m.room.history_visibility`, { history_visibility: 'joined' })
      const { status } = await waiting
      if (status === 200) assert.equal((await carol.ask('GET', events)).status, 403)
      else assert.equal(status, 403)
    })
  })
}
