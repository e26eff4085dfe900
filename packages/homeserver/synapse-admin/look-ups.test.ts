import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { findServerDrivers, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent

for (const driver of await findServerDrivers()) {
  describe(
    `Synapse’s interface: what pages for administrators look up, on ${driver.name}`,
    {
      skip: driver.skip,
    },
    () => {
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
      const say = async (who: TestLogin, roomId: string, txn: string): Promise<string> => {
        const path = `/rooms/${segment(roomId)}/send/m.room.message/${txn}`
        const sent = await world.client(who, 'PUT', path, { msgtype: 'm.text', body: txn })
        return sent['event_id'] as string
      }

      it('lists the users whom people have reported, and takes reports off the list', async () => {
        const report = (who: TestLogin, of: TestLogin, reason: string) =>
          world.client(who, 'POST', `/users/${segment(of.userId)}/report`, { reason })
        await report(alice, bob, 'rude')
        await report(bob, alice, 'ruder')
        const all = await world.ask('GET', '/v1/user_reports')
        const [newest, oldest] = all['user_reports'] as JsonObject[]
        assert.deepEqual([all['total'], all['next_token']], [2, undefined])
        const { received_ts: received, ...rest } = oldest!
        assert.equal(typeof received, 'number')
        const first = { id: 1, user_id: alice.userId, target_user_id: bob.userId, reason: 'rude' }
        assert.deepEqual(rest, first)
        assert.equal(newest!['reason'], 'ruder')
        const reasons = async (query: string): Promise<unknown[]> =>
          ((await world.ask('GET', `/v1/user_reports?${query}`))['user_reports'] as JsonObject[]).map(
            (one) => one['reason'],
          )
        assert.deepEqual(await reasons('dir=f'), ['rude', 'ruder'])
        assert.deepEqual(await reasons('dir=f&from=1'), ['ruder'])
        assert.deepEqual(await reasons('user_id=alice'), ['rude'])
        assert.deepEqual(await reasons(`target_user_id=${segment(alice.userId)}`), ['ruder'])
        assert.deepEqual(await reasons('target_user_id=%25'), [])
        assert.equal((await world.ask('GET', '/v1/user_reports?limit=1'))['next_token'], 1)
        assert.equal((await world.ask('GET', '/v1/user_reports/1'))['reason'], 'rude')
        assert.deepEqual(await world.ask('DELETE', '/v1/user_reports/1'), {})
        for (const method of ['GET', 'DELETE'])
          assert.equal(await world.refusal(method, '/v1/user_reports/1'), '404 M_NOT_FOUND')
        assert.deepEqual(await reasons(''), ['ruder'])
      })

      it('finds an event by its id and by its time, in a room that the administrator is not in', async () => {
        const roomId = await newRoom(alice, { name: 'Ours' })
        const [first, second] = [await say(alice, roomId, 'one'), await say(alice, roomId, 'two')]
        const { event } = await world.ask('GET', `/v1/fetch_event/${segment(first)}`)
        const { content, event_id: id, hashes, room_id: room, sender } = event as JsonObject
        assert.deepEqual(
          [content, id, room, sender],
          [{ msgtype: 'm.text', body: 'one' }, first, roomId, alice.userId],
        )
        assert.equal(typeof hashes, 'object', 'as servers have it')
        assert.equal(await world.refusal('GET', '/v1/fetch_event/%24nothing'), '404 M_NOT_FOUND')
        const path = `/v1/rooms/${segment(roomId)}/timestamp_to_event`
        const last = await world.ask('GET', `${path}?ts=40000000000000&dir=b`)
        assert.equal(last['event_id'], second)
        const create = await world.ask('GET', `${path}?ts=1`)
        assert.notEqual(create['event_id'], second)
        assert.equal(typeof create['origin_server_ts'], 'number')
        assert.equal(await world.refusal('GET', `${path}?ts=40000000000000`), '404 M_NOT_FOUND')
        const nowhere = `/v1/rooms/${segment('!nowhere:test.example')}/timestamp_to_event?ts=1`
        assert.equal(await world.refusal('GET', nowhere), '404 M_NOT_FOUND')
      })

      it('shows what is in a space, also rooms that nobody is told of', async () => {
        const space = await newRoom(alice, { name: 'Space', creation_content: { type: 'm.space' } })
        const secret = await newRoom(bob, { name: 'Secret' })
        const child = `/rooms/${segment(space)}/state/m.space.child/${segment(secret)}`
        await world.client(alice, 'PUT', child, { via: ['test.example'], suggested: true })
        const path = `/v1/rooms/${segment(space)}/hierarchy`
        const { rooms, next_batch: next } = await world.ask('GET', path)
        const ids = (rooms as JsonObject[]).map((one) => one['room_id'])
        assert.deepEqual([ids, next], [[space, secret], undefined])
        const page = await world.ask('GET', `${path}?limit=1`)
        assert.equal((page['rooms'] as JsonObject[]).length, 1)
        const more = await world.ask('GET', `${path}?limit=1&from=${page['next_batch'] as string}`)
        assert.equal((more['rooms'] as JsonObject[])[0]!['room_id'], secret)
        assert.equal(((await world.ask('GET', `${path}?max_depth=0`))['rooms'] as JsonObject[]).length, 1)
        // Whom it concerns is as it was.
        const asBob = await world.server.request(
          'GET',
          `/_matrix/client/v1/rooms/${segment(space)}/hierarchy`,
          { token: bob.token },
        )
        assert.equal(asBob.status, 403)
        const nowhere = `/v1/rooms/${segment('!nowhere:test.example')}/hierarchy`
        assert.equal(await world.refusal('GET', nowhere), '403 M_FORBIDDEN')
      })

      it('counts the invitations that somebody sent, and the rooms that they joined', async () => {
        const carol = await world.server.register('carol')
        const count = async (what: string, since: number): Promise<unknown> => {
          const path = `/v1/users/${segment(carol.userId)}/${what}?from_ts=${since}`
          return Object.values(await world.ask('GET', path))
        }
        assert.deepEqual(await count('sent_invite_count', 0), [0])
        assert.deepEqual(await count('cumulative_joined_room_count', 0), [0])
        const own = await newRoom(carol, { invite: [alice.userId, bob.userId] })
        const theirs = await newRoom(alice, { preset: 'public_chat' })
        await world.client(carol, 'POST', `/join/${segment(theirs)}`, {})
        await world.client(carol, 'POST', `/rooms/${segment(theirs)}/leave`, {})
        await world.client(alice, 'POST', `/rooms/${segment(own)}/leave`, {})
        // Of an invitation somebody else sent, and of one that was not taken up, there is nothing to count.
        await newRoom(bob, { invite: [carol.userId] })
        assert.deepEqual(await count('sent_invite_count', 0), [2])
        assert.deepEqual(await count('cumulative_joined_room_count', 0), [2])
        const later = 40_000_000_000_000
        assert.deepEqual(await count('sent_invite_count', later), [0])
        assert.deepEqual(await count('cumulative_joined_room_count', later), [0])
        const path = `/v1/users/${segment(carol.userId)}/sent_invite_count`
        assert.equal(await world.refusal('GET', path), '400 M_MISSING_PARAM')
      })

      it('lets somebody replace their cross-signing keys once without their password', async () => {
        const path = `/v1/users/${segment(bob.userId)}/_allow_cross_signing_replacement_without_uia`
        assert.equal(await world.refusal('POST', path, {}), '404 M_NOT_FOUND')
        const upload = async (n: number): Promise<number> => {
          const { publicKey } = makeSigner(bob.userId, 'ed25519:x', Buffer.alloc(32, n).toString('base64'))
          const keys = { [`ed25519:${publicKey}`]: publicKey }
          const answer = await world.server.request('POST', '/_matrix/client/v3/keys/device_signing/upload', {
            token: bob.token,
            body: { master_key: { user_id: bob.userId, usage: ['master'], keys } },
          })
          return answer.status
        }
        assert.deepEqual([await upload(1), await upload(2)], [200, 401])
        const granted = await world.ask('POST', path, {})
        assert.equal(typeof granted['updatable_without_uia_before_ms'], 'number')
        assert.deepEqual([await upload(2), await upload(3)], [200, 401])
        // What was granted ends by itself.
        await world.ask('POST', path, {})
        const past = { sql: 'UPDATE cross_signing_grants SET until_ts = 1', params: [] }
        await world.server.hs.db.commit({ entries: [], steps: [past] })
        assert.equal(await upload(3), 401)
      })

      it('tells which rooms are the largest', async () => {
        const large = await newRoom(alice, { name: 'Large' })
        for (let n = 0; n < 40; n++) await say(alice, large, `message ${n}`)
        const { rooms } = await world.ask('GET', '/v1/statistics/database/rooms')
        const [first, second] = rooms as { room_id: string; estimated_size: number }[]
        assert.equal(first!.room_id, large)
        assert.ok(first!.estimated_size > second!.estimated_size)
        const sql =
          'SELECT sum(length(json)) AS n FROM events WHERE room_nid = (SELECT nid FROM rooms WHERE room_id = ?)'
        const bytes = Number((await world.server.hs.db.query(sql, [large]))[0]!['n'])
        assert.ok(first!.estimated_size >= bytes, `${first!.estimated_size} for ${bytes} bytes of events`)
      })
    },
  )
}
