import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { blankUser } from '@causeway/store/erasure/statements.ts'
import { setRemoteMedia } from '@causeway/store/tables/remote-media.ts'
import { command as protectCommand } from '../admin/commands/media-protect.ts'
import { command as quarantineCommand } from '../admin/commands/media-quarantine.ts'
import { releaseMedia } from '../media/quarantine.ts'
import { findServerDrivers, testConfig, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent
const MINUTE_MS = 60_000

for (const driver of await findServerDrivers()) {
  describe(`Synapse’s interface: the server, on ${driver.name}`, { skip: driver.skip }, () => {
    let world: AdminWorld
    let alice: TestLogin
    let bob: TestLogin
    before(async () => {
      world = await openAdminWorld(driver)
      alice = await world.server.register('alice')
      bob = await world.server.register('bob')
    })
    after(() => world[Symbol.asyncDispose]())

    it('makes registration tokens, shows, changes and deletes them', async () => {
      const tokens = async (query = ''): Promise<unknown[]> => {
        const answer = await world.ask('GET', `/v1/registration_tokens${query}`)
        return (answer['registration_tokens'] as JsonObject[]).map(({ token }) => token)
      }
      const own = { token: 'own', uses_allowed: 2, pending: 0, completed: 0, expiry_time: null }
      assert.deepEqual(
        await world.ask('POST', '/v1/registration_tokens/new', { token: 'own', uses_allowed: 2 }),
        own,
      )
      const expiry = systemClock.now() + 60 * MINUTE_MS
      const made = await world.ask('POST', '/v1/registration_tokens/new', { length: 20, expiry_time: expiry })
      assert.deepEqual(
        [(made['token'] as string).length, made['uses_allowed'], made['expiry_time']],
        [20, null, expiry],
      )
      assert.deepEqual(await world.ask('GET', '/v1/registration_tokens/own'), own)
      assert.deepEqual(await tokens(), ['own', made['token']])
      assert.deepEqual(await tokens('?valid='), ['own', made['token']])
      const path = '/v1/registration_tokens/own'
      assert.deepEqual(await world.ask('PUT', path, { uses_allowed: 0 }), { ...own, uses_allowed: 0 })
      assert.deepEqual(
        [await tokens('?valid=true'), await tokens('?valid=false')],
        [[made['token']], ['own']],
      )
      assert.deepEqual(await world.ask('PUT', path, { uses_allowed: null, expiry_time: expiry }), {
        ...own,
        uses_allowed: null,
        expiry_time: expiry,
      })
      assert.deepEqual(await world.ask('DELETE', path), {})
      assert.deepEqual(await tokens(), [made['token']])
      for (const method of ['GET', 'DELETE'])
        assert.equal(await world.refusal(method, path), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('PUT', path, {}), '404 M_NOT_FOUND')
      const refused = (body: JsonObject) => world.refusal('POST', '/v1/registration_tokens/new', body)
      assert.equal(await refused({ token: 'with a space' }), '400 M_INVALID_PARAM')
      assert.equal(await refused({ token: made['token']! }), '400 M_INVALID_PARAM')
      assert.equal(await refused({ expiry_time: 1 }), '400 M_INVALID_PARAM')
    })

    it('lists what people have reported, with the event, and takes it off the list', async () => {
      const { room_id: roomId } = await world.client(alice, 'POST', '/createRoom', {
        name: 'Hall',
        preset: 'public_chat',
      })
      const room = segment(roomId as string)
      await world.client(bob, 'POST', `/join/${room}`, {})
      const report = async (txn: string, reason?: string): Promise<string> => {
        const path = `/rooms/${room}/send/m.room.message/${txn}`
        const body = { msgtype: 'm.text', body: txn }
        const { event_id: id } = await world.client(alice, 'PUT', path, body)
        const why = reason === undefined ? {} : { reason }
        await world.client(bob, 'POST', `/rooms/${room}/report/${segment(id as string)}`, why)
        return id as string
      }
      const [first, second] = [await report('one', 'rude'), await report('two')]
      await world.client(bob, 'POST', `/rooms/${room}/report`, { reason: 'the whole room' })
      const all = await world.ask('GET', '/v1/event_reports')
      const [newest, oldest] = all['event_reports'] as JsonObject[]
      assert.deepEqual([all['total'], all['next_token']], [2, undefined])
      const { received_ts: received, ...rest } = oldest!
      assert.equal(typeof received, 'number')
      assert.deepEqual(rest, {
        id: 1,
        room_id: roomId,
        name: 'Hall',
        canonical_alias: null,
        event_id: first,
        user_id: bob.userId,
        sender: alice.userId,
        reason: 'rude',
        score: null,
      })
      assert.deepEqual([newest!['event_id'], newest!['reason']], [second, null])
      const ids = async (query: string): Promise<unknown[]> =>
        ((await world.ask('GET', `/v1/event_reports?${query}`))['event_reports'] as JsonObject[]).map(
          (one) => one['event_id'],
        )
      assert.deepEqual(await ids('dir=f'), [first, second])
      assert.deepEqual(await ids('dir=f&from=1'), [second])
      assert.deepEqual(await ids(`user_id=${segment(bob.userId)}`), [second, first])
      assert.deepEqual(await ids(`user_id=${segment(alice.userId)}`), [])
      assert.deepEqual(await ids(`room_id=${room}&event_sender_user_id=${segment(alice.userId)}`), [
        second,
        first,
      ])
      assert.equal((await world.ask('GET', '/v1/event_reports?limit=1'))['next_token'], 1)
      const shown = await world.ask('GET', '/v1/event_reports/1')
      assert.deepEqual((shown['event_json'] as JsonObject)['content'], { msgtype: 'm.text', body: 'one' })
      assert.deepEqual(await world.ask('DELETE', '/v1/event_reports/1'), {})
      assert.deepEqual(await ids(''), [second])
      for (const method of ['GET', 'DELETE']) {
        assert.equal(await world.refusal(method, '/v1/event_reports/1'), '404 M_NOT_FOUND')
        // The report of a room.
        assert.equal(await world.refusal(method, '/v1/event_reports/3'), '404 M_NOT_FOUND')
      }
      assert.equal(await world.refusal('GET', '/v1/event_reports/one'), '400 M_INVALID_PARAM')
      await report('three')
      const [last] = (await world.ask('GET', '/v1/event_reports'))['event_reports'] as JsonObject[]
      assert.equal(last!['id'], 4, 'numbers go on')
    })

    it('lists other servers, with the rooms they are in, and has one that failed tried again', async () => {
      // Nothing is sent: whether a server fails is said here.
      const { federation } = testConfig('', {})
      await using alone = await openAdminWorld(driver, { federation: { ...federation, enabled: false } })
      const { hs } = alone.server
      const { room_id: roomId } = await alone.client(alone.root, 'POST', '/createRoom', {})
      const room = (await hs.db.query('SELECT nid FROM rooms WHERE room_id = ?', [roomId as string]))[0]!
      const sql =
        'INSERT INTO room_servers (room_nid, server_name, joined, from_nid, until_nid) VALUES (?, ?, 1, 1, 0)'
      const servers = ['one.example', 'two.example']
      const steps = servers.map((name) => ({ sql, params: [room['nid']!, name] }))
      await hs.db.commit({ entries: [], steps })
      const path = '/v1/federation/destinations'
      const names = async (query: string): Promise<unknown[]> =>
        ((await alone.ask('GET', `${path}?${query}`))['destinations'] as JsonObject[]).map(
          ({ destination }) => destination,
        )
      assert.deepEqual(await names(''), servers)
      assert.deepEqual(await names('destination=TWO'), ['two.example'])
      assert.deepEqual(await names('dir=b&limit=1'), ['two.example'])
      assert.equal((await alone.ask('GET', `${path}?limit=1`))['next_token'], '1')
      const well = {
        destination: 'one.example',
        retry_last_ts: 0,
        retry_interval: 0,
        failure_ts: null,
        last_successful_stream_ordering: null,
      }
      assert.deepEqual(await alone.ask('GET', `${path}/one.example`), well)
      const rooms = await alone.ask('GET', `${path}/one.example/rooms`)
      assert.equal(rooms['total'], 1)
      const [inRoom] = rooms['rooms'] as JsonObject[]
      assert.equal(inRoom!['room_id'], roomId)
      assert.ok((inRoom!['stream_ordering'] as number) > 0)
      assert.equal(
        await alone.refusal('POST', `${path}/one.example/reset_connection`, {}),
        '400 M_INVALID_PARAM',
      )
      await hs.federation.destinations.failed('three.example' as never, hs.clock.now(), 'no answer')
      for (const order of ['retry_last_ts', 'retry_interval', 'failure_ts']) {
        assert.equal((await names(`order_by=${order}&dir=b`))[0], 'three.example', order)
      }
      assert.equal((await names('order_by=last_successful_stream_ordering')).length, 3)
      const failing = await alone.ask('GET', `${path}/three.example`)
      assert.ok((failing['failure_ts'] as number) > 0 && (failing['retry_interval'] as number) > 0)
      assert.ok((failing['retry_last_ts'] as number) >= (failing['failure_ts'] as number))
      await alone.ask('POST', `${path}/three.example/reset_connection`, {})
      assert.equal(await hs.federation.destinations.find('three.example' as never), undefined)
      for (const rest of ['', '/rooms']) {
        assert.equal(await alone.refusal('GET', `${path}/nowhere.example${rest}`), '404 M_NOT_FOUND')
      }
      assert.equal(await alone.refusal('GET', `${path}/${segment('not a name')}`), '400 M_INVALID_PARAM')
    })

    describe('media', () => {
      const upload = async (who: TestLogin, text: string): Promise<string> => {
        const answer = await world.server.request('POST', `/_matrix/media/v3/upload?filename=${text}`, {
          token: who.token,
          headers: { 'content-type': 'text/plain' },
          body: { text },
        })
        return (answer.json()['content_uri'] as string).split('/').at(-1)!
      }
      const mxc = (id: string): string => `mxc://test.example/${id}`

      it('adds up who has uploaded how much', async () => {
        await upload(alice, 'one')
        await upload(alice, 'two')
        await upload(bob, 'a-longer-text-than-both-of-hers-together-would-be')
        const path = '/v1/statistics/users/media'
        const all = await world.ask('GET', path)
        assert.equal(all['total'], 2)
        const users = all['users'] as JsonObject[]
        assert.deepEqual(users[0], {
          user_id: alice.userId,
          displayname: 'alice',
          media_count: 2,
          media_length: 28,
        })
        const ids = async (query: string): Promise<unknown[]> =>
          ((await world.ask('GET', `${path}?${query}`))['users'] as JsonObject[]).map((one) => one['user_id'])
        assert.deepEqual(await ids('order_by=media_length&dir=b'), [bob.userId, alice.userId])
        assert.deepEqual(await ids('order_by=media_count'), [bob.userId, alice.userId])
        assert.deepEqual(await ids('order_by=displayname&dir=b'), [bob.userId, alice.userId])
        assert.deepEqual(await ids('search_term=ALI'), [alice.userId])
        assert.deepEqual(await ids('until_ts=1000'), [])
        assert.deepEqual(await ids('from_ts=4000000000000'), [])
        assert.equal((await world.ask('GET', `${path}?limit=1`))['next_token'], 1)
        assert.equal(await world.refusal('GET', `${path}?from_ts=2&until_ts=1`), '400 M_INVALID_PARAM')
      })

      it('deletes one, and what is old and large but for the pictures of people and rooms', async () => {
        const id = await upload(alice, 'gone')
        const path = `/v1/media/test.example/${id}`
        assert.deepEqual(await world.ask('DELETE', path), { deleted_media: [id], total: 1 })
        assert.equal(await world.refusal('DELETE', path), '404 M_NOT_FOUND')
        assert.equal(await world.refusal('DELETE', '/v1/media/x.example/abc'), '400 M_INVALID_PARAM')

        const [face, sign, other] = [
          await upload(alice, 'face'),
          await upload(alice, 'sign'),
          await upload(alice, 'other'),
        ]
        const profile = `/profile/${segment(alice.userId)}/avatar_url`
        await world.client(alice, 'PUT', profile, { avatar_url: mxc(face) })
        await world.client(alice, 'POST', '/createRoom', {
          initial_state: [{ type: 'm.room.avatar', content: { url: mxc(sign) } }],
        })
        const old = '/v1/media/delete?before_ts='
        const future = systemClock.now() + 60 * MINUTE_MS
        assert.equal((await world.ask('POST', `${old}${future}&size_gt=1000`))['total'], 0)
        assert.equal((await world.ask('POST', `${old}40000000000`))['total'], 0)
        const deleted = (await world.ask('POST', `${old}${future}`))['deleted_media'] as string[]
        assert.ok(deleted.includes(other) && !deleted.includes(face) && !deleted.includes(sign))
        const rest = (await world.ask('POST', `${old}${future}&keep_profiles=false`))['deleted_media']
        assert.deepEqual(new Set(rest as string[]), new Set([face, sign]))
        assert.equal(await world.refusal('POST', `${old}1000`), '400 M_INVALID_PARAM')
        assert.equal(await world.refusal('POST', '/v1/media/delete'), '400 M_MISSING_PARAM')
      })

      it('takes content out of use, and says who did; what is protected is spared', async () => {
        const { hs } = world.server
        const made = await world.client(alice, 'POST', '/createRoom', { preset: 'public_chat' })
        const room = segment(made['room_id'] as string)
        const [shown, framed, apart] = [
          await upload(bob, 'shown-in-the-room'),
          await upload(bob, 'shown-in-the-room-in-a-frame'),
          await upload(bob, 'shown-nowhere'),
        ]
        const far = 'mxc://far.example/fetched'
        const remote = { server_name: 'far.example', media_id: 'fetched', size: 1, content_type: 'image/png' }
        const [bytes, now] = [hash('sha256', 'fetched', 'hex'), hs.clock.now()]
        const times = { filename: '', fetched_ts: now, used_ts: now, is_open: 0 }
        await hs.db.commit({ entries: [], steps: [setRemoteMedia({ ...remote, ...times, hash: bytes })] })
        let said = 0
        const send = (content: JsonObject) =>
          world.client(alice, 'PUT', `/rooms/${room}/send/m.room.message/${said++}`, content)
        const frame = `<b><img src="${mxc(framed)}"></b> and <img src="${mxc(framed)}">`
        await send({ msgtype: 'm.image', body: 'x', url: mxc(shown), info: { thumbnail_url: far } })
        await send({ msgtype: 'm.text', body: 'x', format: 'org.matrix.custom.html', formatted_body: frame })
        await send({ msgtype: 'm.image', body: 'x', url: 'mxc://far.example/never-fetched' })
        const listed = await world.ask('GET', `/v1/room/${room}/media`)
        assert.deepEqual(listed, {
          local: [mxc(shown), mxc(framed)],
          remote: [far, 'mxc://far.example/never-fetched'],
        })
        const uses = async (): Promise<Record<string, unknown>> => {
          const { media } = await world.ask('GET', `/v1/users/${segment(bob.userId)}/media`)
          const names = { [shown]: 'shown', [framed]: 'framed', [apart]: 'apart' }
          const own = (media as JsonObject[]).filter((one) => (one['media_id'] as string) in names)
          return Object.fromEntries(
            own.map((one) => [
              names[one['media_id'] as string]!,
              one['safe_from_quarantine'] === true ? 'protected' : one['quarantined_by'],
            ]),
          )
        }
        const isThere = async (id: string): Promise<boolean> => {
          const url = `/_matrix/client/v1/media/download/test.example/${id}`
          return (await world.server.request('GET', url, { token: bob.token })).status === 200
        }
        const { userId } = world.root
        assert.deepEqual(await world.ask('POST', `/v1/media/protect/${framed}`), {})
        assert.deepEqual(await world.ask('POST', `/v1/room/${room}/media/quarantine`), { num_quarantined: 2 })
        assert.deepEqual(await uses(), { shown: userId, framed: 'protected', apart: null })
        assert.deepEqual(await Promise.all([shown, framed, apart].map((id) => isThere(id))), [
          false,
          true,
          true,
        ])
        const info = async (place: string): Promise<JsonObject> =>
          (await world.ask('GET', `/v1/media/${place}`))['media_info'] as JsonObject
        assert.deepEqual(
          [
            (await info('far.example/fetched'))['quarantined_by'],
            (await info(`test.example/${apart}`))['quarantined_by'],
          ],
          [userId, null],
        )
        assert.equal(await world.refusal('GET', '/v1/media/far.example/never-fetched'), '404 M_NOT_FOUND')

        const one = (what: string, id: string): string => `/v1/media/${what}/test.example/${id}`
        assert.equal(await world.refusal('POST', one('quarantine', framed)), '400 M_INVALID_PARAM')
        assert.equal(await world.refusal('POST', one('quarantine', 'none')), '404 M_NOT_FOUND')
        assert.deepEqual(await world.ask('POST', one('unquarantine', shown)), {})
        assert.deepEqual(await world.ask('POST', `/v1/media/unprotect/${framed}`), {})
        assert.deepEqual(await uses(), { shown: null, framed: null, apart: null })
        assert.deepEqual(await world.ask('POST', one('quarantine', apart)), {})
        assert.equal((await uses())['apart'], userId)
        const user = `/v1/user/${segment(bob.userId)}/media/quarantine`
        assert.ok(((await world.ask('POST', user))['num_quarantined'] as number) >= 3)
        assert.deepEqual(await uses(), { shown: userId, framed: userId, apart: userId })
        assert.deepEqual(await world.ask('POST', `/v1/quarantine_media/${room}`), { num_quarantined: 3 })
        for (const path of [
          `/v1/media/protect/none`,
          `/v1/room/${segment('!no:test.example')}/media/quarantine`,
        ])
          assert.equal(await world.refusal('POST', path), '404 M_NOT_FOUND')

        // By the command line, which has no name; and who did it goes with their account.
        await releaseMedia(hs, { serverName: 'test.example', mediaId: shown })
        await quarantineCommand.run(hs, { media: [shown] }, { name: 'socket' })
        assert.equal((await uses())['shown'], 'command line')
        await hs.db.commit({ entries: [], steps: blankUser(userId) })
        assert.deepEqual(await uses(), { shown: 'command line', framed: 'unknown', apart: 'unknown' })
        assert.deepEqual(await protectCommand.run(hs, { media: [mxc(apart), far] }, { name: 'socket' }), {
          protected: 1,
          not_found: [far],
        })
      })

      it('forgets media of other servers that nobody has asked for since', async () => {
        const { hs } = world.server
        const row = (id: string, ts: number) =>
          setRemoteMedia({
            server_name: 'far.example',
            media_id: id,
            hash: hash('sha256', id, 'hex'),
            size: 1,
            content_type: 'text/plain',
            filename: '',
            fetched_ts: ts,
            used_ts: ts,
            is_open: 0,
          })
        const now = hs.clock.now()
        await hs.db.commit({ entries: [], steps: [row('old', now - 60 * MINUTE_MS), row('new', now)] })
        const before = now - MINUTE_MS
        assert.deepEqual(await world.ask('POST', `/v1/purge_media_cache?before_ts=${before}`), { deleted: 1 })
        assert.deepEqual(await world.ask('POST', `/v1/purge_media_cache?before_ts=${before}`), { deleted: 0 })
        assert.equal(await world.refusal('POST', '/v1/purge_media_cache?before_ts=1'), '400 M_INVALID_PARAM')
      })
    })

    it('lists long work, what is to be done and what has ended', async () => {
      const { room_id: roomId } = await world.client(alice, 'POST', '/createRoom', {})
      await world.ask('DELETE', `/v1/rooms/${segment(roomId as string)}`, {})
      const tasks = async (query: string): Promise<JsonObject[]> =>
        (await world.ask('GET', `/v1/scheduled_tasks?${query}`))['scheduled_tasks'] as JsonObject[]
      const [task, ...others] = await tasks(`resource_id=${segment(roomId as string)}`)
      assert.deepEqual(others, [])
      assert.deepEqual(
        [task!['action'], task!['status'], task!['resource_id'], task!['error']],
        ['shut_down_room', 'complete', roomId, null],
      )
      assert.deepEqual(await tasks('status=failed'), [])
      assert.deepEqual(await tasks('action_name=shut_down_room&job_status=complete'), [task])
      assert.deepEqual(await tasks('max_timestamp=1'), [])
      assert.equal(await world.refusal('GET', '/v1/scheduled_tasks?status=tired'), '400 M_INVALID_PARAM')
    })
  })
}
