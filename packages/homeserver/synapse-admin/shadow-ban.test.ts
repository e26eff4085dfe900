import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent
const EVENT_ID = /^\$[A-Za-z0-9_-]{43}$/

for (const driver of await findServerDrivers()) {
  describe(`a shadow ban, on ${driver.name}`, { skip: driver.skip }, () => {
    let world: AdminWorld
    let alice: TestLogin
    let eve: TestLogin
    let room: string
    before(async () => {
      world = await openAdminWorld(driver)
      alice = await world.server.register('alice')
      eve = await world.server.register('eve')
      room = await newRoom(alice)
      await world.client(eve, 'POST', `/join/${segment(room)}`, {})
      await world.ask('POST', path(), {})
    })
    after(() => world[Symbol.asyncDispose]())

    const path = (): string => `/v1/users/${segment(eve.userId)}/shadow_ban`
    const newRoom = async (who: TestLogin, more: JsonObject = {}): Promise<string> =>
      (await world.client(who, 'POST', '/createRoom', { preset: 'public_chat', ...more }))[
        'room_id'
      ] as string
    const inRoom = (rest: string): string => `/rooms/${segment(room)}${rest}`
    /** What there is of a room since its start, but its beginning. */
    const events = async (type: string): Promise<JsonObject[]> => {
      const { chunk } = await world.client(alice, 'GET', inRoom('/messages?dir=b&limit=100'))
      return (chunk as JsonObject[]).filter((event) => event['type'] === type)
    }
    const eventId = async (
      who: TestLogin,
      method: string,
      rest: string,
      body: JsonObject,
    ): Promise<string> => {
      const { event_id: id } = await world.client(who, method, inRoom(rest), body)
      assert.match(id as string, EVENT_ID)
      return id as string
    }

    it('is shown to administrators, and to nobody else', async () => {
      const user = await world.ask('GET', `/v2/users/${segment(eve.userId)}`)
      assert.equal(user['shadow_banned'], true)
      const { users } = await world.ask('GET', '/v3/users?order_by=shadow_banned&dir=b')
      assert.deepEqual((users as JsonObject[]).map((one) => [one['name'], one['shadow_banned']])[0], [
        eve.userId,
        true,
      ])
      const who = await world.client(eve, 'GET', '/account/whoami')
      assert.deepEqual(Object.keys(who).toSorted(), ['device_id', 'is_guest', 'user_id'])
      for (const method of ['POST', 'DELETE']) {
        const root = `/v1/users/${segment(world.root.userId)}/shadow_ban`
        assert.equal(await world.refusal(method, root, {}), '403 M_FORBIDDEN')
        const nobody = `/v1/users/${segment('@nobody:test.example')}/shadow_ban`
        assert.match(await world.refusal(method, nobody, {}), /^40[04] /)
      }
    })

    it('has what they say go nowhere, and be answered as if it went', async () => {
      const said = await eventId(alice, 'PUT', '/send/m.room.message/1', { msgtype: 'm.text', body: 'hello' })
      const message = { msgtype: 'm.text', body: 'spam' }
      const sent = await eventId(eve, 'PUT', '/send/m.room.message/1', message)
      assert.equal(await eventId(eve, 'PUT', '/send/m.room.message/1', message), sent, 'sent again')
      await world.restart()
      assert.equal(await eventId(eve, 'PUT', '/send/m.room.message/1', message), sent, 'and after a restart')
      await eventId(eve, 'PUT', `/redact/${segment(said)}/1`, {})
      await eventId(eve, 'PUT', '/state/m.room.topic/', { topic: 'spam' })
      await world.client(eve, 'PUT', inRoom(`/typing/${segment(eve.userId)}`), { typing: true })
      assert.deepEqual(
        (await events('m.room.message')).map((event) => event['event_id']),
        [said],
      )
      assert.deepEqual([await events('m.room.redaction'), await events('m.room.topic')], [[], []])
      const sync = await world.client(alice, 'GET', '/sync?timeout=0')
      const joined = (sync['rooms'] as { join: Record<string, { ephemeral: { events: JsonObject[] } }> }).join
      const typing = joined[room]!.ephemeral.events.filter((event) => event['type'] === 'm.typing')
      assert.deepEqual(
        typing.flatMap((event) => (event['content'] as JsonObject)['user_ids']),
        [],
      )
      // Who is not in a room is told so as before.
      const elsewhere = await newRoom(alice)
      const refused = await world.server.request(
        'PUT',
        `/_matrix/client/v3/rooms/${segment(elsewhere)}/send/m.room.message/1`,
        { token: eve.token, body: message },
      )
      assert.equal(refused.status, 403)
    })

    it('has their invitations, names and reasons reach nobody', async () => {
      const bob = await world.server.register('bob')
      const own = await newRoom(eve, {
        visibility: 'public',
        invite: [bob.userId],
        initial_state: [
          { type: 'm.room.member', state_key: bob.userId, content: { membership: 'invite' } },
          { type: 'm.room.topic', content: { topic: 'mine' } },
        ],
      })
      const topic = await world.client(eve, 'GET', `/rooms/${segment(own)}/state/m.room.topic/`)
      assert.equal(topic['topic'], 'mine', 'their own room is as they want it')
      await world.client(eve, 'PUT', `/directory/list/room/${segment(own)}`, { visibility: 'public' })
      await world.client(eve, 'POST', `/rooms/${segment(own)}/invite`, { user_id: bob.userId })
      const state = `/rooms/${segment(own)}/state/m.room.member/${segment(bob.userId)}`
      await world.client(eve, 'PUT', state, { membership: 'invite' })
      const sync = await world.client(bob, 'GET', '/sync?timeout=0')
      assert.equal((sync['rooms'] as JsonObject | undefined)?.['invite'], undefined)
      const listed = await world.client(bob, 'GET', '/publicRooms')
      assert.ok(!(listed['chunk'] as JsonObject[]).some((one) => one['room_id'] === own))
      const upgraded = await world.client(eve, 'POST', `/rooms/${segment(own)}/upgrade`, {
        new_version: '12',
      })
      assert.match(upgraded['replacement_room'] as string, /^![A-Za-z0-9_-]{43}$/)
      const tombstone = `/_matrix/client/v3/rooms/${segment(own)}/state/m.room.tombstone/`
      assert.equal((await world.server.request('GET', tombstone, { token: eve.token })).status, 404)

      const before = (await events('m.room.member')).length
      const name = `/profile/${segment(eve.userId)}/displayname`
      await world.client(eve, 'PUT', name, { displayname: 'Buy now' })
      const member = inRoom(`/state/m.room.member/${segment(eve.userId)}`)
      await world.client(eve, 'PUT', member, { membership: 'join', displayname: 'Buy now' })
      await world.server.hs.accounts.jobs.idle()
      assert.equal((await events('m.room.member')).length, before)
      // They come and go as others do, without a word.
      await world.client(eve, 'POST', inRoom('/leave'), { reason: 'spam' })
      const [left] = await events('m.room.member')
      assert.deepEqual([left!['sender'], left!['content']], [eve.userId, { membership: 'leave' }])
      await world.client(eve, 'POST', inRoom('/join'), { reason: 'spam', 'org.example.spam': 1 })
      const [back] = await events('m.room.member')
      const content = back!['content'] as JsonObject
      assert.deepEqual(Object.keys(content).toSorted(), ['displayname', 'membership'])
    })

    it('holds for what they had sent later, too', async () => {
      const unstable = '/_matrix/client/unstable/org.matrix.msc4140'
      const asEve = async (method: string, path: string, body?: JsonObject): Promise<JsonObject> => {
        const more = { token: eve.token, ...(body === undefined ? {} : { body }) }
        const answer = await world.server.request(method, `${unstable}${path}`, more)
        assert.equal(answer.status, 200, Buffer.from(answer.bytes).toString())
        return answer.json()
      }
      const { delay_id: id } = await asEve('PUT', inRoom('/delayed_event/m.room.message/9'), {
        delay_ms: 3_600_000,
        content: { msgtype: 'm.text', body: 'spam later' },
      })
      await asEve('POST', `/delayed_events/${id as string}/send`, {})
      const { finalised } = await asEve('GET', `/delayed_events/${id as string}`)
      assert.deepEqual(Object.keys(finalised as JsonObject), ['finalised_ts'])
      assert.ok(!JSON.stringify(await events('m.room.message')).includes('spam later'))
    })

    it('ends when it is taken back', async () => {
      await world.ask('DELETE', path(), {})
      const sent = await eventId(eve, 'PUT', '/send/m.room.message/after', {
        msgtype: 'm.text',
        body: 'sorry',
      })
      assert.equal((await events('m.room.message'))[0]!['event_id'], sent)
      assert.equal((await world.ask('GET', `/v2/users/${segment(eve.userId)}`))['shadow_banned'], false)
    })
  })
}
