import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../../test-server.ts'
import { openPeople, type Person } from '../../user-data/test-people.ts'
import { openSlider, orderIn, roomIdsIn, roomIn, stateIn, window } from './test-slider.ts'

const escaped = encodeURIComponent

async function createRoom(person: Person, more: JsonObject = {}): Promise<string> {
  return (await person.call('POST', '/createRoom', { preset: 'public_chat', ...more }))['room_id'] as string
}

const encryption = {
  type: 'm.room.encryption',
  state_key: '',
  content: { algorithm: 'm.megolm.v1.aes-sha2' },
}

for (const driver of await findServerDrivers()) {
  describe(`lists of sliding sync on ${driver.name}`, { skip: driver.skip }, () => {
    it('are filtered, each filter for itself and together, and follow what changes', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId: plain } = people
      const secret = await createRoom(alice, { initial_state: [encryption] })
      const space = await createRoom(alice, { creation_content: { type: 'm.space' } })
      const direct = await createRoom(alice)
      const invited = await createRoom(bob, { name: 'Come', creation_content: { type: 'com.example.game' } })
      await bob.call('POST', `/rooms/${escaped(invited)}/invite`, { user_id: alice.userId })
      const own = `/user/${escaped(alice.userId)}`
      await alice.call('PUT', `${own}/account_data/m.direct`, { [bob.userId]: [direct] })
      await alice.call('PUT', `${own}/rooms/${escaped(plain)}/tags/m.favourite`, { order: 0.5 })
      await alice.call('PUT', `/rooms/${escaped(space)}/state/m.space.child/${escaped(secret)}`, {
        via: ['test.example'],
      })
      const slider = openSlider(server, alice.token, {})
      const listed = async (filters: JsonObject): Promise<Set<unknown>> =>
        new Set(orderIn(await slider.next(window(99, { filters }))) as unknown[])
      const all = new Set([plain, secret, space, direct, invited])
      const but = (...less: string[]): Set<string> => all.difference(new Set(less))
      const check = async (filters: JsonObject, expected: Set<string>): Promise<void> =>
        assert.deepEqual(await listed(filters), expected, JSON.stringify(filters))
      await check({}, all)
      await check({ is_dm: true }, new Set([direct]))
      await check({ is_dm: false }, but(direct))
      await check({ is_encrypted: true }, new Set([secret]))
      await check({ is_encrypted: false }, but(secret))
      await check({ is_invite: true }, new Set([invited]))
      await check({ is_invite: false }, but(invited))
      await check({ room_types: ['m.space'] }, new Set([space]))
      await check({ room_types: [null] }, but(space, invited))
      await check({ room_types: ['m.space', 'com.example.game'] }, new Set([space, invited]))
      await check({ not_room_types: ['m.space'] }, but(space))
      await check({ room_types: ['m.space', null], not_room_types: ['m.space'] }, but(space, invited))
      await check({ tags: ['m.favourite', 'm.lowpriority'] }, new Set([plain]))
      await check({ not_tags: ['m.favourite'] }, but(plain))
      await check({ spaces: [space] }, new Set([secret]))
      await check({ spaces: [invited, '!nowhere:test.example'] }, new Set())
      await check(
        { is_dm: false, is_encrypted: false, not_room_types: ['m.space'] },
        but(direct, secret, space),
      )

      await alice.call('PUT', `/rooms/${escaped(direct)}/state/m.room.encryption/`, encryption.content)
      await check({ is_encrypted: true }, new Set([secret, direct]))
      await alice.call('PUT', `${own}/account_data/m.direct`, {})
      await check({ is_dm: true }, new Set())
      await alice.call('DELETE', `${own}/rooms/${escaped(plain)}/tags/m.favourite`)
      await check({ tags: ['m.favourite'] }, new Set())
      await alice.call('PUT', `/rooms/${escaped(space)}/state/m.space.child/${escaped(plain)}`, {
        via: ['test.example'],
      })
      await check({ spaces: [space] }, new Set([secret, plain]))
      await alice.call('POST', `/join/${escaped(invited)}`, {})
      await check({ is_invite: true }, new Set())
    })

    it('overlap with each other and with subscriptions: a room is told once, with all that is asked for', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const second = await createRoom(alice, { name: 'Second' })
      for (let at = 0; at < 4; at++) await bob.say(roomId, `m${at}`)
      const slider = openSlider(server, alice.token, {
        lists: {
          top: { ranges: [[0, 0]], timeline_limit: 3, required_state: [] },
          rest: { ranges: [[1, 5]], timeline_limit: 1, required_state: [['m.room.name', '']] },
          both: { timeline_limit: 0, required_state: [['m.room.create', '']] },
        },
        room_subscriptions: {
          [second]: { timeline_limit: 2, required_state: [['m.room.topic', '']] },
          '!unknown:test.example': { timeline_limit: 2, required_state: [] },
        },
      })
      const first = await slider.next()
      assert.deepEqual(orderIn(first, 'top'), [roomId])
      assert.deepEqual(orderIn(first, 'rest'), [second])
      assert.deepEqual(orderIn(first, 'both'), [roomId, second], 'without ranges, all')
      assert.deepEqual(new Set(roomIdsIn(first)), new Set([roomId, second]))
      const top = roomIn(first, roomId)!
      assert.equal((top['timeline'] as unknown[]).length, 3)
      assert.deepEqual(top['lists'], ['top', 'both'])
      const rest = roomIn(first, second)!
      assert.equal((rest['timeline'] as unknown[]).length, 2)
      assert.deepEqual(stateIn(rest), ['m.room.create|', 'm.room.name|'])
      assert.equal(roomIn(first, '!unknown:test.example'), undefined)
    })

    it('answer an old room that one comes to know by a subscription, and nobody in a room that is none of theirs', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      await bob.say(roomId, 'seen by bob')
      await bob.call('POST', `${room}/leave`, {})
      await alice.say(roomId, 'after bob')
      const subscribed = { room_subscriptions: { [roomId]: { timeline_limit: 5, required_state: [] } } }
      assert.deepEqual(roomIdsIn(await openSlider(server, carol.token, subscribed).next()), [])
      const slider = openSlider(server, bob.token, subscribed)
      const old = roomIn(await slider.next(), roomId)!
      assert.equal(old['membership'], 'leave')
      assert.ok(JSON.stringify(old).includes('seen by bob'))
      assert.ok(!JSON.stringify(old).includes('after bob'))
      assert.deepEqual(roomIdsIn(await slider.next()), [])
    })

    it('refuse what is no request, and take what newer servers may know', async () => {
      await using people = await openPeople(driver)
      const { server, alice } = people
      const slider = openSlider(server, alice.token, {})
      const status = async (body: JsonObject): Promise<unknown> => {
        const answer = await slider.ask(body, {})
        return answer.status === 200 ? 200 : answer.body['errcode']
      }
      assert.equal(await status({}), 200)
      assert.equal(
        await status({ txn_id: 'x', unsubscribe_rooms: [], extensions: { 'org.example.new': {} } }),
        200,
      )
      assert.equal(await status(window(1, { ranges: [[0]] as never })), 'M_BAD_JSON')
      assert.equal(await status(window(1, { timeline_limit: -1 })), 'M_BAD_JSON')
      assert.equal(await status(window(1, { required_state: [['m.room.name']] })), 'M_BAD_JSON')
      assert.equal(await status(window(1, { filters: { room_name_like: 'x' } })), 'M_BAD_JSON')
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`l${at}`, {}]))
      assert.equal(await status({ lists: many }), 'M_BAD_JSON')
      const versions = await server.request('GET', '/_matrix/client/versions')
      const features = versions.json()['unstable_features'] as JsonObject
      assert.equal(features['org.matrix.simplified_msc3575'], true)
    })
  })
}
