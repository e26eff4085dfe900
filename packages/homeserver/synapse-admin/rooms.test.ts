import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { command as purgeCommand } from '../admin/commands/room-purge-history.ts'
import { findServerDrivers, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent
const at = (roomId: string, rest = '', version = 'v1'): string =>
  `/${version}/rooms/${segment(roomId)}${rest}`

for (const driver of await findServerDrivers()) {
  describe(`Synapse’s interface: rooms, on ${driver.name}`, { skip: driver.skip }, () => {
    let world: AdminWorld
    let alice: TestLogin
    let bob: TestLogin
    before(async () => {
      world = await openAdminWorld(driver)
      alice = await world.server.register('alice')
      bob = await world.server.register('bob')
    })
    after(() => world[Symbol.asyncDispose]())

    const newRoom = async (who: TestLogin, more: JsonObject): Promise<string> =>
      (await world.client(who, 'POST', '/createRoom', more))['room_id'] as string
    const join = (who: TestLogin, roomId: string) => world.client(who, 'POST', `/join/${segment(roomId)}`, {})
    const attempt = async (who: TestLogin, path: string, body: JsonObject = {}): Promise<number> =>
      (await world.server.request('POST', `/_matrix/client/v3${path}`, { token: who.token, body })).status
    let said = 0
    const say = async (who: TestLogin, roomId: string, body: string): Promise<string> => {
      said += 1
      const path = `/rooms/${segment(roomId)}/send/m.room.message/${said}`
      return (await world.client(who, 'PUT', path, { msgtype: 'm.text', body }))['event_id'] as string
    }
    const stateOf = (who: TestLogin, roomId: string, type: string, key = '') =>
      world.client(who, 'GET', `/rooms/${segment(roomId)}/state/${type}/${segment(key)}`)

    it('lists rooms: in pages, searched, in any order', async () => {
      await using fresh = await openAdminWorld(driver)
      const owner = await fresh.server.register('owner')
      const guest = await fresh.server.register('guest')
      const make = async (body: JsonObject): Promise<string> =>
        (await fresh.client(owner, 'POST', '/createRoom', body))['room_id'] as string
      const zoo = await make({ name: 'Zoo', preset: 'public_chat', visibility: 'public' })
      const ant = await make({ name: 'ant farm', room_alias_name: 'hill' })
      const nameless = await make({ creation_content: { type: 'm.space', 'm.federate': false } })
      await fresh.client(guest, 'POST', `/join/${segment(zoo)}`, {})
      const list = async (query: string): Promise<unknown[]> =>
        ((await fresh.ask('GET', `/v1/rooms?${query}`))['rooms'] as JsonObject[]).map((one) => one['room_id'])
      const all = await fresh.ask('GET', '/v1/rooms')
      assert.deepEqual([all['total_rooms'], all['offset'], all['next_batch']], [3, 0, undefined])
      const rooms = all['rooms'] as JsonObject[]
      assert.deepEqual(
        rooms.map((one) => one['room_id']),
        [nameless, ant, zoo],
      )
      const { state_events: events, ...rest } = rooms[2]!
      assert.equal(typeof events, 'number')
      assert.deepEqual(rest, {
        room_id: zoo,
        name: 'Zoo',
        canonical_alias: null,
        joined_members: 2,
        joined_local_members: 2,
        version: '12',
        creator: owner.userId,
        encryption: null,
        federatable: true,
        public: true,
        join_rules: 'public',
        guest_access: null,
        history_visibility: 'shared',
        room_type: null,
      })
      assert.deepEqual([rooms[0]!['federatable'], rooms[0]!['room_type']], [false, 'm.space'])
      assert.deepEqual(await list('search_term=ZO'), [zoo])
      assert.deepEqual(await list('search_term=hill'), [ant])
      assert.deepEqual(await list(`search_term=${segment(nameless)}`), [nameless])
      assert.deepEqual(await list('public_rooms=true'), [zoo])
      assert.deepEqual(await list('empty_rooms=true'), [])
      assert.equal((await list('empty_rooms=false')).length, 3)
      assert.deepEqual(await list('order_by=joined_members&limit=1'), [zoo])
      assert.deepEqual(await list('dir=b'), [zoo, ant, nameless])
      for (const order of [
        'size',
        'joined_local_members',
        'version',
        'creator',
        'encryption',
        'federatable',
        'public',
        'join_rules',
        'guest_access',
        'history_visibility',
        'state_events',
        'alphabetical',
        'canonical_alias',
      ]) {
        assert.equal((await list(`order_by=${order}`)).length, 3, order)
        assert.deepEqual(await list(`order_by=${order}&search_term=zoo`), [zoo], order)
      }
      const page = await fresh.ask('GET', '/v1/rooms?from=1&limit=1')
      assert.deepEqual([page['offset'], page['next_batch'], page['prev_batch']], [1, 2, 0])
      assert.equal(await fresh.refusal('GET', '/v1/rooms?search_term='), '400 M_INVALID_PARAM')
      assert.equal(await fresh.refusal('GET', '/v1/rooms?order_by=beauty'), '400 M_INVALID_PARAM')
    })

    it('shows a room, its members and its state to somebody who is not in it', async () => {
      const roomId = await newRoom(alice, { name: 'Ours', topic: 'what we do', invite: [bob.userId] })
      const shown = await world.ask('GET', at(roomId))
      assert.deepEqual(
        [shown['name'], shown['topic'], shown['avatar'], shown['joined_members']],
        ['Ours', 'what we do', null, 1],
      )
      assert.deepEqual(
        [shown['joined_local_devices'], shown['forgotten'], shown['tombstoned'], shown['replacement_room']],
        [1, false, false, null],
      )
      assert.deepEqual(await world.ask('GET', at(roomId, '/members')), { members: [alice.userId], total: 1 })
      const { state } = await world.ask('GET', at(roomId, '/state'))
      assert.ok((state as JsonObject[]).some(({ type }) => type === 'm.room.create'))
      const members = (await world.ask('GET', at(roomId, '/state?type=m.room.member')))[
        'state'
      ] as JsonObject[]
      assert.deepEqual(new Set(members.map((one) => one['state_key'])), new Set([alice.userId, bob.userId]))
      for (const rest of ['', '/members', '/state', '/messages', '/forward_extremities']) {
        assert.equal(await world.refusal('GET', at('!nowhere:test.example', rest)), '404 M_NOT_FOUND', rest)
      }
    })

    it('shows what was said, also what only members may see', async () => {
      const roomId = await newRoom(alice, {
        initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
      })
      const ids: string[] = []
      for (const text of ['one', 'two', 'three']) ids.push(await say(alice, roomId, text))
      const back = await world.ask('GET', at(roomId, '/messages?dir=b&limit=2'))
      const bodies = (answer: JsonObject): unknown[] =>
        (answer['chunk'] as JsonObject[]).map(({ content }) => (content as JsonObject)['body'])
      assert.deepEqual(bodies(back), ['three', 'two'])
      const more = await world.ask('GET', at(roomId, `/messages?dir=b&limit=1&from=${back['end'] as string}`))
      assert.deepEqual(bodies(more), ['one'])
      const forwards = await world.ask('GET', at(roomId, '/messages?limit=1'))
      assert.equal((forwards['chunk'] as JsonObject[])[0]!['type'], 'm.room.create')
      const context = await world.ask('GET', at(roomId, `/context/${segment(ids[1]!)}?limit=2`))
      assert.equal((context['event'] as JsonObject)['event_id'], ids[1])
      assert.equal((context['events_before'] as JsonObject[])[0]!['event_id'], ids[0])
      assert.equal((context['events_after'] as JsonObject[])[0]!['event_id'], ids[2])
      assert.equal(await world.refusal('GET', at(roomId, '/context/$none')), '404 M_NOT_FOUND')
      const { count, results } = await world.ask('GET', at(roomId, '/forward_extremities'))
      assert.equal(count, 1)
      assert.equal((results as JsonObject[])[0]!['event_id'], ids[2])
    })

    it('blocks a room: nobody comes in or is invited, until it is unblocked', async () => {
      const roomId = await newRoom(alice, { preset: 'public_chat' })
      const path = at(roomId, '/block')
      assert.deepEqual(await world.ask('GET', path), { block: false })
      assert.deepEqual(await world.ask('PUT', path, { block: true }), { block: true })
      assert.deepEqual(await world.ask('GET', path), { block: true, user_id: world.root.userId })
      const inRoom = `/rooms/${segment(roomId)}`
      assert.equal(await attempt(bob, `/join/${segment(roomId)}`), 403)
      assert.equal(await attempt(bob, `${inRoom}/join`), 403)
      assert.equal(await attempt(alice, `${inRoom}/invite`, { user_id: bob.userId }), 403)
      const state = await world.server.request(
        'PUT',
        `/_matrix/client/v3${inRoom}/state/m.room.member/${segment(bob.userId)}`,
        { token: bob.token, body: { membership: 'join' } },
      )
      assert.equal(state.status, 403)
      await say(alice, roomId, 'who is in it goes on')
      await world.ask('PUT', path, { block: false })
      assert.equal(await attempt(bob, `/join/${segment(roomId)}`), 200)
      // One that nobody here has heard of.
      const unknown = at('!unheard-of:elsewhere.example', '/block')
      await world.ask('PUT', unknown, { block: true })
      assert.equal((await world.ask('GET', unknown))['block'], true)
    })

    it('has somebody join, invited by the administrator where that is needed', async () => {
      const open = await newRoom(alice, { preset: 'public_chat', room_alias_name: 'open' })
      const alias = segment('#open:test.example')
      assert.deepEqual(await world.ask('POST', `/v1/join/${alias}`, { user_id: bob.userId }), {
        room_id: open,
      })
      const closed = await newRoom(alice, {})
      const path = `/v1/join/${segment(closed)}`
      assert.equal(await world.refusal('POST', path, { user_id: bob.userId }), '403 M_FORBIDDEN')
      await world.client(alice, 'POST', `/rooms/${segment(closed)}/invite`, { user_id: world.root.userId })
      await join(world.root, closed)
      await world.ask('POST', path, { user_id: bob.userId })
      assert.equal((await stateOf(bob, closed, 'm.room.member', bob.userId))['membership'], 'join')
      assert.equal(
        await world.refusal('POST', path, { user_id: '@x:elsewhere.example' }),
        '400 M_INVALID_PARAM',
      )
    })

    it('makes somebody an administrator of a room, by the power of one who is', async () => {
      for (const version of ['11', '12']) {
        const roomId = await newRoom(alice, { room_version: version })
        await world.ask('POST', at(roomId, '/make_room_admin'), { user_id: bob.userId })
        const levels = await stateOf(alice, roomId, 'm.room.power_levels')
        assert.equal((levels['users'] as JsonObject)[bob.userId], 100)
        assert.equal((await stateOf(alice, roomId, 'm.room.member', bob.userId))['membership'], 'invite')
        await join(bob, roomId)
        await world.client(bob, 'PUT', `/rooms/${segment(roomId)}/state/m.room.name`, { name: 'Bob’s' })
        // Once more, for whoever asks: it changes nothing, or invites them.
        await world.ask('POST', at(roomId, '/make_room_admin'), { user_id: bob.userId })
        await world.ask('POST', at(roomId, '/make_room_admin'), {})
        assert.equal(
          (await stateOf(alice, roomId, 'm.room.member', world.root.userId))['membership'],
          'invite',
        )
      }
      const empty = await newRoom(alice, {})
      await world.client(alice, 'POST', `/rooms/${segment(empty)}/leave`, {})
      assert.equal(await world.refusal('POST', at(empty, '/make_room_admin'), {}), '400 M_INVALID_PARAM')
    })

    it('deletes a room in the background, moves people to another that says why, and blocks it', async () => {
      const roomId = await newRoom(alice, { preset: 'public_chat', room_alias_name: 'bad', name: 'Bad' })
      await join(bob, roomId)
      const carol = await world.server.register('carol')
      await world.client(alice, 'POST', `/rooms/${segment(roomId)}/invite`, { user_id: carol.userId })
      const { delete_id: id } = await world.ask('DELETE', at(roomId, '', 'v2'), {
        new_room_user_id: world.root.userId,
        room_name: 'Gone',
        message: 'It had to be.',
        block: true,
      })
      await world.server.hs.jobs.idle()
      const status = await world.ask('GET', `/v2/rooms/delete_status/${id as string}`)
      assert.deepEqual([status['status'], status['room_id'], status['delete_id']], ['complete', roomId, id])
      const result = status['shutdown_room'] as JsonObject
      assert.deepEqual(
        new Set(result['kicked_users'] as string[]),
        new Set([alice.userId, bob.userId, carol.userId]),
      )
      assert.deepEqual([result['failed_to_kick_users'], result['local_aliases']], [[], ['#bad:test.example']])
      const newRoomId = result['new_room_id'] as string
      assert.deepEqual(await world.ask('GET', at(roomId, '/delete_status', 'v2')), { results: [status] })
      assert.equal(await world.refusal('GET', at(roomId)), '404 M_NOT_FOUND')
      assert.equal(await attempt(alice, `/join/${segment(roomId)}`), 403)
      const { members } = await world.ask('GET', at(newRoomId, '/members'))
      assert.deepEqual(new Set(members as string[]), new Set([world.root.userId, alice.userId, bob.userId]))
      assert.deepEqual(await stateOf(alice, newRoomId, 'm.room.name'), { name: 'Gone' })
      const { chunk } = await world.client(
        alice,
        'GET',
        `/rooms/${segment(newRoomId)}/messages?dir=b&limit=1`,
      )
      assert.deepEqual((chunk as JsonObject[])[0]!['content'], { msgtype: 'm.text', body: 'It had to be.' })
      const say403 = await world.server.request(
        'PUT',
        `/_matrix/client/v3/rooms/${segment(newRoomId)}/send/m.room.message/x`,
        { token: alice.token, body: { msgtype: 'm.text', body: 'but' } },
      )
      assert.equal(say403.status, 403)
      const found = await world.client(alice, 'GET', `/directory/room/${segment('#bad:test.example')}`)
      assert.equal(found['room_id'], newRoomId)
    })

    it('deletes a room while the client waits, or only empties it', async () => {
      const roomId = await newRoom(alice, { preset: 'public_chat' })
      await join(bob, roomId)
      const nobody = { failed_to_kick_users: [], local_aliases: [], new_room_id: null }
      const emptied = await world.ask('DELETE', at(roomId), { purge: false })
      assert.deepEqual(
        { ...emptied, kicked_users: new Set(emptied['kicked_users'] as string[]) },
        { ...nobody, kicked_users: new Set([alice.userId, bob.userId]) },
      )
      assert.equal((await world.ask('GET', at(roomId)))['joined_members'], 0)
      assert.deepEqual(await world.ask('DELETE', at(roomId), {}), { ...nobody, kicked_users: [] })
      assert.equal(await world.refusal('GET', at(roomId)), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('DELETE', at(roomId), {}), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('DELETE', at(roomId, '', 'v2'), {}), '404 M_NOT_FOUND')
      assert.deepEqual(await world.ask('DELETE', at(roomId), { block: true }), {
        ...nobody,
        kicked_users: [],
      })
      assert.equal((await world.ask('GET', at(roomId, '/block')))['block'], true)
      assert.equal(await world.refusal('GET', '/v2/rooms/delete_status/none'), '404 M_NOT_FOUND')
      assert.equal(
        await world.refusal('GET', at('!never:test.example', '/delete_status', 'v2')),
        '404 M_NOT_FOUND',
      )
      assert.equal(
        await world.refusal('DELETE', at(await newRoom(alice, {})), {
          new_room_user_id: '@nobody:test.example',
        }),
        '404 M_NOT_FOUND',
      )
    })

    it('goes on with it after a restart', async () => {
      const roomId = await newRoom(alice, { preset: 'public_chat' })
      await join(bob, roomId)
      const { delete_id: id } = await world.ask('DELETE', at(roomId, '', 'v2'), {
        new_room_user_id: world.root.userId,
      })
      await world.restart()
      world.server.hs.jobs.wake()
      await world.server.hs.jobs.idle()
      const status = await world.ask('GET', `/v2/rooms/delete_status/${id as string}`)
      assert.equal(status['status'], 'complete')
      const { new_room_id: newRoomId, kicked_users: kicked } = status['shutdown_room'] as JsonObject
      assert.deepEqual(new Set(kicked as string[]), new Set([alice.userId, bob.userId]))
      const { members } = await world.ask('GET', at(newRoomId as string, '/members'))
      assert.deepEqual(new Set(members as string[]), new Set([world.root.userId, alice.userId, bob.userId]))
      const { chunk } = await world.client(
        alice,
        'GET',
        `/rooms/${segment(newRoomId as string)}/messages?dir=b&limit=50`,
      )
      assert.equal((chunk as JsonObject[]).filter(({ type }) => type === 'm.room.message').length, 1)
      assert.equal(await world.refusal('GET', at(roomId)), '404 M_NOT_FOUND')
    })

    it('purges what was said before an event or a time, in the background, over a restart', async () => {
      const roomId = await newRoom(alice, { preset: 'public_chat' })
      await join(bob, roomId)
      const ids: string[] = []
      for (let n = 0; n < 5; n++) ids.push(await say(n === 2 ? bob : alice, roomId, `message ${n}`))
      const path = `/v1/purge_history/${segment(roomId)}`
      const bodies = async (): Promise<unknown[]> => {
        const { chunk } = await world.client(
          alice,
          'GET',
          `/rooms/${segment(roomId)}/messages?dir=b&limit=50`,
        )
        const messages = (chunk as JsonObject[]).filter(({ type }) => type === 'm.room.message')
        return messages.map(({ content }) => (content as JsonObject)['body'])
      }
      const status = (id: unknown) => world.ask('GET', `/v1/purge_history_status/${id as string}`)
      // What people of this server said stays, unless it is asked for.
      const { purge_id: kept } = await world.ask('POST', `${path}/${segment(ids[3]!)}`, {})
      await world.server.hs.jobs.idle()
      assert.deepEqual(await status(kept), { status: 'complete' })
      assert.equal((await bodies()).length, 5)
      const { purge_id: id } = await world.ask('POST', path, {
        purge_up_to_event_id: ids[3]!,
        delete_local_events: true,
      })
      await world.restart()
      world.server.hs.jobs.wake()
      await world.server.hs.jobs.idle()
      assert.deepEqual(await status(id), { status: 'complete' })
      assert.deepEqual(await bodies(), ['message 4', 'message 3'])
      const body = { purge_up_to_ts: world.server.hs.clock.now() + 1_000, delete_local_events: true }
      await world.ask('POST', path, body)
      await world.server.hs.jobs.idle()
      assert.deepEqual(await bodies(), ['message 4'])
      await say(bob, roomId, 'goes on')
      assert.deepEqual(await bodies(), ['goes on', 'message 4'])
      assert.equal(await world.refusal('POST', path, {}), '400 M_BAD_JSON')
      assert.equal(await world.refusal('POST', path, { purge_up_to_ts: 1 }), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('POST', `${path}/%24none`, {}), '404 M_NOT_FOUND')
      const elsewhere = await newRoom(alice, {})
      assert.equal(
        await world.refusal('POST', `/v1/purge_history/${segment(elsewhere)}/${segment(ids[4]!)}`, {}),
        '400 M_INVALID_PARAM',
      )
      assert.equal(await world.refusal('GET', '/v1/purge_history_status/none'), '404 M_NOT_FOUND')
      // Of the command line.
      const run = (input: JsonObject) =>
        purgeCommand.run(world.server.hs, { room: roomId, ...input }, { name: 'socket' })
      await assert.rejects(run({}), /in one way/)
      await assert.rejects(run({ before: 'yesterday' }), /is no time/)
      await assert.rejects(run({ olderThanDays: 3 }), /no event to be purged/)
      await run({ beforeEvent: ids[4]!, own: true })
      await world.server.hs.jobs.idle()
      await run({ before: '2100-01-01', own: true })
      await world.server.hs.jobs.idle()
      assert.deepEqual(await bodies(), ['goes on'])
    })
  })
}
