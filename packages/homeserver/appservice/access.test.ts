import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../client/routes.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { createInProcessPort } from './in-process.ts'
import type { AppserviceTransaction } from './receivers.ts'
import { hastyClock, testRegistration } from './test-appservice.ts'

const V3 = '/_matrix/client/v3'
const hub = testRegistration('hub', null)
const other = testRegistration('other', null, {
  rate_limited: true,
  protocols: ['irc'],
  namespaces: { users: [{ exclusive: false, regex: '@(_other_|human|admin).*' }] },
})

for (const driver of await findServerDrivers()) {
  describe(`what appservices may do, on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    let human: TestLogin
    before(async () => {
      server = await driver.start({ endpoints: clientRoutes, clock: hastyClock, appservices: [hub, other] })
      human = await server.register('human')
      await post('/register', hub.as_token, service('_hub_ghost'))
    })
    after(() => server[Symbol.asyncDispose]())

    const service = (username: string): JsonObject => ({
      type: 'm.login.application_service',
      username,
      inhibit_login: true,
    })
    const request = async (method: string, url: string, token: string, body?: JsonObject) => {
      const answer = await server.request(method, url, { token, ...(body === undefined ? {} : { body }) })
      return { status: answer.status, json: answer.json() }
    }
    const post = (path: string, token: string, body: JsonObject) => request('POST', V3 + path, token, body)
    const whoami = (token: string, userId?: string, deviceId?: string) => {
      const query = new URLSearchParams()
      if (userId !== undefined) query.set('user_id', userId)
      if (deviceId !== undefined) query.set('device_id', deviceId)
      return request('GET', `${V3}/account/whoami?${query.toString()}`, token)
    }

    it('acts as its sender, and as users that exist in its namespaces, and as nobody else', async () => {
      const sender = await whoami(hub.as_token)
      assert.deepEqual(sender, { status: 200, json: { user_id: '@_hub_bot:test.example', is_guest: false } })
      const ghost = await whoami(hub.as_token, '@_hub_ghost:test.example')
      assert.equal(ghost.json['user_id'], '@_hub_ghost:test.example')
      const refused: readonly [string, string][] = [
        [hub.as_token, '@_hub_nobody:test.example'],
        [hub.as_token, human.userId],
        [hub.as_token, '@_other_bot:test.example'],
        [hub.as_token, '@_hub_ghost:elsewhere.example'],
        [hub.as_token, '@_hub_ghost:test.example.evil'],
        [hub.as_token, 'nonsense'],
        [hub.as_token, `@_hub_${'x'.repeat(100_000)}:test.example`],
        [hub.as_token, ''],
      ]
      for (const [token, userId] of refused) {
        const { status, json } = await whoami(token, userId)
        assert.deepEqual([status, json['errcode']], [403, 'M_FORBIDDEN'], userId.slice(0, 40))
      }
      assert.equal((await whoami(hub.hs_token)).json['errcode'], 'M_UNKNOWN_TOKEN')
    })

    it('does not let a person masquerade by the same parameter', async () => {
      const { json } = await whoami(human.token, '@_hub_ghost:test.example')
      assert.equal(json['user_id'], human.userId)
    })

    it('acts with a device that the user has, and refuses others', async () => {
      const ghost = '@_hub_ghost:test.example'
      const url = `${V3}/devices/HUBDEVICE?user_id=${encodeURIComponent(ghost)}`
      assert.ok((await request('PUT', url, hub.as_token, { display_name: 'hub' })).status < 300)
      assert.equal((await whoami(hub.as_token, ghost, 'HUBDEVICE')).json['device_id'], 'HUBDEVICE')
      const unknown = await whoami(hub.as_token, ghost, 'NOTHERE')
      assert.deepEqual([unknown.status, unknown.json['errcode']], [400, 'M_UNKNOWN_DEVICE'])
      const others = await whoami(hub.as_token, ghost, human.deviceId)
      assert.equal(others.json['errcode'], 'M_UNKNOWN_DEVICE')
      // It would take away the messages that wait for it to be rehydrated.
      const dehydrated = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'
      const put = await request('PUT', `${dehydrated}?user_id=${encodeURIComponent(ghost)}`, hub.as_token, {
        device_id: 'DEHYDRATED',
        device_data: { algorithm: 'org.matrix.msc3814.v2' },
        device_keys: { user_id: ghost, device_id: 'DEHYDRATED', algorithms: [], keys: {}, signatures: {} },
      })
      assert.equal(put.status, 200, JSON.stringify(put.json))
      const asleep = await whoami(hub.as_token, ghost, 'DEHYDRATED')
      assert.deepEqual([asleep.status, asleep.json['errcode']], [400, 'M_UNKNOWN_DEVICE'])
    })

    it('is no administrator by acting as one, and does not act as the deactivated', async () => {
      const { hs } = server
      await server.register('admin-person')
      const flag = {
        sql: "UPDATE users SET is_admin = 1 WHERE user_id = '@admin-person:test.example'",
        params: [],
      }
      await hs.db.commit({ entries: [], steps: [flag] })
      const use = { masqueradeAs: '@admin-person:test.example', deviceId: undefined }
      const session = await hs.sessions.find(other.as_token, use)
      assert.equal(session !== undefined && 'isAdmin' in session && session.isAdmin, false)
      assert.equal(session !== undefined && 'isAdmin' in session && session.isRateLimited, true)
      const end = {
        sql: "UPDATE users SET deactivated_ts = 1 WHERE user_id = '@admin-person:test.example'",
        params: [],
      }
      await hs.db.commit({ entries: [], steps: [end] })
      hs.sessions.forget('@admin-person:test.example' as never)
      const { status, json } = await whoami(other.as_token, '@admin-person:test.example')
      assert.deepEqual([status, json['errcode']], [403, 'M_USER_DEACTIVATED'])
      const body = {
        type: 'm.login.application_service',
        identifier: { type: 'm.id.user', user: 'admin-person' },
      }
      const login = await server.request('POST', '/_matrix/client/v3/login', { token: other.as_token, body })
      assert.deepEqual([login.status, login.json()['errcode']], [403, 'M_USER_DEACTIVATED'])
    })

    it('is told who is in a room that any of its users is in, and of no other', async () => {
      const made = await post('/createRoom', human.token, { preset: 'public_chat' })
      const path = `/rooms/${encodeURIComponent(made.json['room_id'] as string)}`
      const members = (token: string) => request('GET', `${V3}${path}/joined_members`, token)
      assert.equal((await members(hub.as_token)).status, 403)
      const ghost = '@_hub_ghost:test.example'
      const joined = await post(`${path}/join?user_id=${encodeURIComponent(ghost)}`, hub.as_token, {})
      assert.equal(joined.status, 200)
      const { status, json } = await members(hub.as_token)
      assert.equal(status, 200)
      assert.deepEqual(new Set(Object.keys(json['joined'] as JsonObject)), new Set([ghost, human.userId]))
      const stranger = await server.register('stranger')
      assert.equal((await members(stranger.token)).status, 403)
    })

    it('registers and logs in within its namespaces only, and people only outside of exclusive ones', async () => {
      const cases: readonly [string, string, JsonObject, number, string | undefined][] = [
        ['/register', hub.as_token, service('_hub_new'), 200, undefined],
        ['/register', hub.as_token, service('_hub_new'), 400, 'M_USER_IN_USE'],
        ['/register', hub.as_token, service('outside'), 400, 'M_EXCLUSIVE'],
        ['/register', other.as_token, service('_hub_theirs'), 400, 'M_EXCLUSIVE'],
        ['/register', 'unknown-token', service('_hub_x'), 401, 'M_UNKNOWN_TOKEN'],
        ['/register', human.token, service('_hub_x'), 403, 'M_FORBIDDEN'],
        ['/login', hub.as_token, login('_hub_new'), 200, undefined],
        ['/login', hub.as_token, login('human'), 400, 'M_EXCLUSIVE'],
      ]
      for (const [path, token, body, status, errcode] of cases) {
        const answer = await post(path, token, body)
        assert.deepEqual(
          [answer.status, answer.json['errcode']],
          [status, errcode],
          `${path} ${JSON.stringify(body)}`,
        )
      }
      const person = await server.request('POST', `${V3}/register`, {
        body: { username: '_hub_person', password: 'correct horse battery', auth: { type: 'm.login.dummy' } },
      })
      assert.equal(person.status, 400)
    })
    const login = (user: string): JsonObject => ({
      type: 'm.login.application_service',
      identifier: { type: 'm.id.user', user },
    })

    it('registers a user whom the query names already, as libraries write it', async () => {
      const userId = encodeURIComponent('@_hub_named:test.example')
      const made = await post(`/register?user_id=${userId}`, hub.as_token, service('_hub_named'))
      assert.deepEqual([made.status, made.json['user_id']], [200, '@_hub_named:test.example'])
      const body = {
        type: 'm.login.application_service',
        identifier: { type: 'm.id.user', user: '_hub_named' },
      }
      const url = `${V3}/login?user_id=${userId}&access_token=${encodeURIComponent(hub.as_token)}`
      const login = (await server.request('POST', url, { body })).json()
      assert.equal(login['user_id'], '@_hub_named:test.example', JSON.stringify(login))
    })

    it('makes rooms with aliases of its own namespaces only', async () => {
      const make = (token: string, name: string) => post('/createRoom', token, { room_alias_name: name })
      assert.equal((await make(hub.as_token, '_hub_room')).status, 200)
      assert.equal((await make(hub.as_token, 'free')).json['errcode'], 'M_EXCLUSIVE')
      assert.equal((await make(human.token, '_hub_taken')).json['errcode'], 'M_EXCLUSIVE')
      assert.equal((await make(human.token, 'free')).status, 200)
    })

    it('publishes rooms for the networks of its registration', async () => {
      const made = await post('/createRoom', other.as_token, {})
      const path = (network: string) =>
        `${V3}/directory/list/appservice/${network}/${encodeURIComponent(made.json['room_id'] as string)}`
      const visibility = { visibility: 'public' }
      assert.equal((await request('PUT', path('irc'), other.as_token, visibility)).status, 200)
      assert.equal((await request('PUT', path('xmpp'), other.as_token, visibility)).status, 403)
      assert.equal((await request('PUT', path('irc'), hub.as_token, visibility)).status, 403)
      assert.equal((await request('PUT', path('irc'), human.token, visibility)).status, 403)
      const bad = await request('PUT', path('irc'), other.as_token, { visibility: 'no' })
      assert.equal(bad.json['errcode'], 'M_BAD_JSON')
    })

    it('speaks with an appservice of this process without a socket, both ways', async () => {
      const port = createInProcessPort(server.router, server.hs.appservices, hub)
      const ghost = '@_hub_ghost:test.example'
      const made = await port.request('POST', `${V3}/createRoom`, { body: {}, asUser: ghost })
      assert.equal(made.status, 200)
      const roomId = (made.json as JsonObject)['room_id'] as string
      const url = `${V3}/rooms/${encodeURIComponent(roomId)}/send/m.room.message/1`
      const body = { msgtype: 'm.text', body: 'from the hub' }
      const sent = await port.request('PUT', url, { body, asUser: ghost, query: { ts: '123' } })
      const again = await port.request('PUT', url, { body, asUser: ghost, query: { ts: '123' } })
      assert.deepEqual(again.json, sent.json)
      const refused = await port.request('PUT', url, { body, asUser: human.userId })
      assert.deepEqual([refused.status, (refused.json as JsonObject)['errcode']], [403, 'M_FORBIDDEN'])
      const transactions = new Map<string, AppserviceTransaction>()
      const done = Promise.withResolvers<void>()
      let failures = 2
      let failed: string | undefined
      port.receive({
        deliver: async (txnId, transaction) => {
          if (failures-- > 0) {
            failed ??= txnId
            assert.equal(txnId, failed)
            throw new Error('not now')
          }
          transactions.set(txnId, transaction)
          const found = transaction.events.find(
            (event) => (event['content'] as JsonObject)['body'] === 'from the hub',
          )
          if (found === undefined) return
          assert.equal(found['origin_server_ts'], 123)
          assert.equal(found['room_id'], roomId)
          done.resolve()
        },
      })
      await done.promise
      assert.equal([...transactions.keys()][0], failed)
      assert.throws(
        () => createInProcessPort(server.router, server.hs.appservices, { ...hub, id: 'x' }),
        /not registered/,
      )
    })
  })
}
