import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { accountRoutes } from '../client/account-routes.ts'
import { userDataRoutes } from '../client/user-data-routes.ts'
import { findServerDrivers, TEST_PASSWORD, type TestLogin, type TestServer } from '../test-server.ts'
import { ok } from '../test-call.ts'
import { MAX_PUSHERS } from './set-pusher.ts'
import { pusherOf } from './test-gateway.ts'

const URL = 'https://push.example.org/_matrix/push/v1/notify'
const endpoints = [...accountRoutes, ...userDataRoutes]

async function keysOf(server: TestServer, who: TestLogin): Promise<unknown[]> {
  const { pushers } = await ok(server, who, 'GET', '/pushers')
  return (pushers as JsonObject[]).map(({ pushkey }) => pushkey)
}

async function logInAgain(server: TestServer, { userId }: TestLogin): Promise<TestLogin> {
  const identifier = { type: 'm.id.user', user: userId }
  const body = { type: 'm.login.password', identifier, password: TEST_PASSWORD }
  const answer = (await server.request('POST', '/_matrix/client/v3/login', { body })).json()
  return { userId, deviceId: answer['device_id'] as string, token: answer['access_token'] as string }
}

for (const driver of await findServerDrivers()) {
  describe(`pushers on ${driver.name}`, { skip: driver.skip }, () => {
    it('are set, set anew, told as they were set, and deleted', async () => {
      await using server = await driver.start({ endpoints })
      const alice = await server.register('alice')
      const pusher = { ...pusherOf(URL, 'key', { format: 'event_id_only', ours: [1] }), profile_tag: 'xyz' }
      assert.deepEqual(await ok(server, alice, 'POST', '/pushers/set', pusher), {})
      assert.deepEqual(await ok(server, alice, 'GET', '/pushers'), { pushers: [pusher] })
      const other = { ...pusherOf(URL, 'key'), lang: 'de' }
      await ok(server, alice, 'POST', '/pushers/set', other)
      assert.deepEqual(await ok(server, alice, 'GET', '/pushers'), { pushers: [other] })
      await ok(server, alice, 'POST', '/pushers/set', pusherOf(URL, 'key 2'))
      assert.deepEqual(await keysOf(server, alice), ['key', 'key 2'])
      const gone = { kind: null, app_id: 'org.example.app', pushkey: 'key' }
      await ok(server, alice, 'POST', '/pushers/set', gone)
      await ok(server, alice, 'POST', '/pushers/set', gone)
      assert.deepEqual(await keysOf(server, alice), ['key 2'])
    })

    it('take a key from other users, unless they are appended', async () => {
      await using server = await driver.start({ endpoints })
      const [alice, bob, carol] = [
        await server.register('alice'),
        await server.register('bob'),
        await server.register('carol'),
      ]
      await ok(server, alice, 'POST', '/pushers/set', pusherOf(URL, 'key'))
      await ok(server, bob, 'POST', '/pushers/set', { ...pusherOf(URL, 'key'), append: true })
      assert.deepEqual([await keysOf(server, alice), await keysOf(server, bob)], [['key'], ['key']])
      await ok(server, carol, 'POST', '/pushers/set', { ...pusherOf(URL, 'key'), app_id: 'other' })
      assert.deepEqual([await keysOf(server, alice), await keysOf(server, bob)], [['key'], ['key']])
      await ok(server, carol, 'POST', '/pushers/set', pusherOf(URL, 'key'))
      assert.deepEqual([await keysOf(server, alice), await keysOf(server, bob)], [[], []])
      assert.deepEqual(await keysOf(server, carol), ['key', 'key'])
    })

    it('are refused with a reason when something is wrong with them', async () => {
      await using server = await driver.start({ endpoints })
      const alice = await server.register('alice')
      const refusal = async (more: JsonObject): Promise<unknown> => {
        const body = { ...pusherOf(URL, 'key'), ...more }
        for (const [key, value] of Object.entries(more)) if (value === '(none)') delete body[key]
        const answer = await server.request('POST', '/_matrix/client/v3/pushers/set', {
          token: alice.token,
          body,
        })
        return [answer.status, answer.json()['errcode']]
      }
      const missing = [400, 'M_MISSING_PARAM']
      const invalid = [400, 'M_INVALID_PARAM']
      for (const name of [
        'kind',
        'app_id',
        'pushkey',
        'app_display_name',
        'device_display_name',
        'lang',
        'data',
      ])
        assert.deepEqual(await refusal({ [name]: '(none)' }), missing, name)
      assert.deepEqual(await refusal({ data: {} }), missing)
      for (const url of [
        'http://push.example.org/_matrix/push/v1/notify',
        'https://push.example.org/elsewhere',
        'https://user:secret@push.example.org/_matrix/push/v1/notify',
        'nonsense',
        7,
        `${URL}?${'x'.repeat(2000)}`,
      ])
        assert.deepEqual(await refusal({ data: { url } }), invalid, String(url))
      assert.deepEqual(await refusal({ kind: 'email' }), invalid)
      assert.deepEqual(await refusal({ pushkey: 'ü'.repeat(300) }), invalid)
      assert.deepEqual(await refusal({ data: { url: URL, more: 'x'.repeat(9000) } }), invalid)
      const long = await refusal({ app_id: 'x'.repeat(65) })
      assert.equal((long as unknown[])[0], 400)
      assert.deepEqual(await keysOf(server, alice), [])
      assert.equal((await server.request('GET', '/_matrix/client/v3/pushers')).status, 401)
    })

    it('are so many and no more', async () => {
      await using server = await driver.start({ endpoints })
      const alice = await server.register('alice')
      for (let n = 0; n < MAX_PUSHERS - 1; n++)
        await ok(server, alice, 'POST', '/pushers/set', pusherOf(URL, `key ${n}`))
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((pushkey) =>
          server.request('POST', '/_matrix/client/v3/pushers/set', {
            token: alice.token,
            body: pusherOf(URL, pushkey),
          }),
        ),
      )
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
      const refused = answers.find(({ status }) => status === 400)!
      assert.equal(refused.json()['errcode'], 'M_RESOURCE_LIMIT_EXCEEDED')
      assert.equal((await keysOf(server, alice)).length, MAX_PUSHERS)
      await ok(server, alice, 'POST', '/pushers/set', { ...pusherOf(URL, 'key 1'), lang: 'de' })
    })

    it('end with their session: by logout, by a change of the password, with the account', async () => {
      await using server = await driver.start({ endpoints })
      const alice = await server.register('alice')
      const [second, third] = [await logInAgain(server, alice), await logInAgain(server, alice)]
      for (const [n, who] of [alice, second, third].entries())
        await ok(server, who, 'POST', '/pushers/set', pusherOf(URL, `key ${n}`))
      assert.deepEqual(await keysOf(server, alice), ['key 0', 'key 1', 'key 2'])
      await ok(server, third, 'POST', '/logout', {})
      assert.deepEqual(await keysOf(server, alice), ['key 0', 'key 1'])
      const auth = {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: alice.userId },
        password: TEST_PASSWORD,
      }
      const kept = { new_password: TEST_PASSWORD, logout_devices: false, auth }
      await ok(server, alice, 'POST', '/account/password', kept)
      assert.deepEqual(await keysOf(server, alice), ['key 0', 'key 1'])
      await ok(server, alice, 'POST', '/account/password', { new_password: TEST_PASSWORD, auth })
      assert.deepEqual(await keysOf(server, alice), ['key 0'])
      await ok(server, alice, 'POST', '/account/deactivate', { auth })
      assert.deepEqual(await server.hs.db.query('SELECT nid FROM pushers', []), [])
    })
  })
}
