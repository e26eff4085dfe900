import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { command } from '../admin/commands/notice-send.ts'
import { setStanding } from '../accounts/administer.ts'
import { clientRoutes } from '../client/routes.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'

const segment = encodeURIComponent
const PATH = '/_synapse/admin/v1/send_server_notice'
const SENDER = '@_server:test.example'

for (const driver of await findServerDrivers()) {
  describe(`server notices on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    let admin: TestLogin
    before(async () => {
      server = await driver.start({
        endpoints: clientRoutes,
        config: {
          server_notices: {
            localpart: '_server',
            display_name: 'The server',
            avatar_url: 'mxc://test.example/bell',
            room_name: 'News of the server',
          },
        },
      })
      admin = await server.register('admin')
      await setStanding(server.hs, admin.userId as UserId, 'admin', true)
    })
    after(() => server[Symbol.asyncDispose]())

    const notice = (userId: string, body: string): JsonObject => ({
      user_id: userId,
      content: { msgtype: 'm.text', body },
    })
    const send = async (who: TestLogin, body: JsonObject, txn?: string) => {
      const answer = await server.request(
        txn === undefined ? 'POST' : 'PUT',
        txn === undefined ? PATH : `${PATH}/${txn}`,
        { token: who.token, body },
      )
      return [answer.status, answer.json()['event_id'] ?? answer.json()['errcode']] as const
    }
    const invited = async (who: TestLogin): Promise<string[]> => {
      const { rooms } = (await ok(server, who, 'GET', '/sync')) as { rooms: JsonObject }
      return Object.keys((rooms['invite'] as JsonObject | undefined) ?? {})
    }
    const leave = async (who: TestLogin, roomId: string, how: 'leave' | 'state') => {
      const path = `/_matrix/client/v3/rooms/${segment(roomId)}`
      const state = `${path}/state/m.room.member/${segment(who.userId)}`
      const answer = await (how === 'leave'
        ? server.request('POST', `${path}/leave`, { token: who.token, body: {} })
        : server.request('PUT', state, { token: who.token, body: { membership: 'leave' } }))
      return [answer.status, answer.json()['errcode']]
    }

    it('invites to a room that is tagged, in which only the server writes, and which is used again', async () => {
      const alice = await server.register('alice')
      const [status, eventId] = await send(admin, notice(alice.userId, 'hello'))
      assert.equal(status, 200)
      const [roomId, ...others] = await invited(alice)
      assert.deepEqual(others, [])
      const refused = [403, 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM']
      assert.deepEqual(await leave(alice, roomId!, 'leave'), refused)
      assert.deepEqual(await leave(alice, roomId!, 'state'), refused)
      await ok(server, alice, 'POST', `/join/${segment(roomId!)}`, {})
      const sync = (await ok(server, alice, 'GET', '/sync')) as {
        rooms: {
          join: Record<string, { timeline: { events: JsonObject[] }; account_data: { events: JsonObject[] } }>
        }
      }
      const room = sync.rooms.join[roomId!]!
      const message = room.timeline.events.find((event) => event['event_id'] === eventId)
      assert.deepEqual([message?.['sender'], message?.['type']], [SENDER, 'm.room.message'])
      const tags = room.account_data.events.find(({ type }) => type === 'm.tag')
      assert.deepEqual(tags?.['content'], { tags: { 'm.server_notice': {} } })
      const state = (await ok(
        server,
        alice,
        'GET',
        `/rooms/${segment(roomId!)}/state`,
      )) as unknown as JsonObject[]
      const content = (type: string, key = ''): unknown =>
        state.find((event) => event['type'] === type && event['state_key'] === key)?.['content']
      assert.deepEqual(content('m.room.name'), { name: 'News of the server' })
      assert.deepEqual(content('m.room.avatar'), { url: 'mxc://test.example/bell' })
      assert.deepEqual(content('m.room.member', SENDER), {
        membership: 'join',
        displayname: 'The server',
        avatar_url: 'mxc://test.example/bell',
      })
      const said = await server.request(
        'PUT',
        `/_matrix/client/v3/rooms/${segment(roomId!)}/send/m.room.message/1`,
        {
          token: alice.token,
          body: { msgtype: 'm.text', body: 'but' },
        },
      )
      assert.equal(said.status, 403)
      const { results } = await ok(server, alice, 'POST', '/user_directory/search', { search_term: 'server' })
      assert.deepEqual(results, [])
      assert.deepEqual(await leave(alice, roomId!, 'leave'), [200, undefined])
      assert.equal((await send(admin, notice(alice.userId, 'again')))[0], 200)
      assert.deepEqual(await invited(alice), [roomId])
    })

    it('sends once under a transaction id, and many at once into one room', async () => {
      const bob = await server.register('bob')
      const many = await Promise.all(Array.from({ length: 5 }, () => send(admin, notice(bob.userId, 'one'))))
      assert.equal(new Set(many.map(([, eventId]) => eventId)).size, 5)
      const [first, second] = [
        await send(admin, notice(bob.userId, 'once'), 't1'),
        await send(admin, notice(bob.userId, 'once'), 't1'),
      ]
      assert.deepEqual([first[0], first[1]], [200, second[1]])
      assert.equal((await invited(bob)).length, 1)
      const result = await command.run(server.hs, { user: 'bob', message: 'by hand' }, { name: 'socket' })
      assert.equal((result as JsonObject)['user_id'], bob.userId)
      assert.equal((await invited(bob)).length, 1)
    })

    it('is for administrators, about accounts of this server, and the account is nobody’s', async () => {
      const carol = await server.register('carol')
      const plain = await server.request('POST', PATH, { token: carol.token })
      assert.deepEqual([plain.status, plain.json()['errcode']], [403, 'M_FORBIDDEN'])
      assert.deepEqual(await send(admin, notice('@nobody:test.example', 'x')), [404, 'M_NOT_FOUND'])
      assert.deepEqual(await send(admin, notice('@x:elsewhere.example', 'x')), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await send(admin, notice(SENDER, 'x')), [400, 'M_INVALID_PARAM'])
      await using other = await driver.start({
        endpoints: clientRoutes,
        config: {
          server_notices: { localpart: 'dave', display_name: 'Dave', room_name: 'Dave' },
        },
      })
      await assert.rejects(other.register('dave'), /M_USER_IN_USE/)
    })
  })
}
