import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { accountRoutes } from '../../client/account-routes.ts'
import type { DispatchResponse } from '../../http/dispatch.ts'
import { findServerDrivers, TEST_PASSWORD, type TestLogin, type TestServer } from '../../test-server.ts'
import { createUiaSessions } from './sessions.ts'

const V3 = '/_matrix/client/v3'

const refused = (answer: DispatchResponse, status: number, errcode: string | undefined): void => {
  assert.deepEqual([answer.status, answer.json()['errcode']], [status, errcode])
}

for (const driver of await findServerDrivers()) {
  describe(`confirmation on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    let alice: TestLogin
    before(async () => {
      server = await driver.start({ endpoints: accountRoutes })
      alice = await server.register('alice')
    })
    after(() => server[Symbol.asyncDispose]())

    const logIn = async (user = 'alice', password = TEST_PASSWORD): Promise<TestLogin> => {
      const body = { type: 'm.login.password', user, password }
      const json = (await server.request('POST', `${V3}/login`, { body })).json()
      return {
        userId: json['user_id'] as string,
        deviceId: json['device_id'] as string,
        token: json['access_token'] as string,
      }
    }
    const remove = (deviceId: string, body?: JsonObject, token = alice.token) =>
      server.request('DELETE', `${V3}/devices/${deviceId}`, {
        token,
        ...(body === undefined ? {} : { body }),
      })
    const exists = async (deviceId: string): Promise<boolean> =>
      (await server.request('GET', `${V3}/devices/${deviceId}`, { token: alice.token })).status === 200
    const proof = (user = 'alice', password = TEST_PASSWORD): JsonObject => ({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
    })

    it('is asked for, refuses a wrong password, and takes the right one', async () => {
      const other = await logIn()
      const asked = await remove(other.deviceId)
      refused(asked, 401, undefined)
      assert.deepEqual(Object.keys(asked.json()).toSorted(), ['flows', 'params', 'session'])
      const { session } = asked.json()
      const wrong = await remove(other.deviceId, { auth: { ...proof('alice', 'no'), session: session! } })
      refused(wrong, 401, 'M_FORBIDDEN')
      assert.equal(wrong.json()['session'], session)
      assert.equal(await exists(other.deviceId), true)
      const right = await remove(other.deviceId, { auth: { ...proof(), session: session! } })
      assert.equal(right.status, 200)
      assert.equal(await exists(other.deviceId), false)
      const ended = await server.request('GET', `${V3}/account/whoami`, { token: other.token })
      refused(ended, 401, 'M_UNKNOWN_TOKEN')
    })
    it('works in one request without a session, and is refused with the password of another', async () => {
      const other = await logIn()
      await server.register('bob', { password: 'password of bob' })
      refused(await remove(other.deviceId, { auth: proof('bob', 'password of bob') }), 403, 'M_FORBIDDEN')
      assert.equal(await exists(other.deviceId), true)
      assert.equal((await remove(other.deviceId, { auth: proof() })).status, 200)
    })
    it('for one device is none for another, for another operation, or for another person', async () => {
      const [one, two] = [await logIn(), await logIn()]
      const { session } = (await remove(one.deviceId)).json()
      const auth = { ...proof(), session: session! }
      refused(await remove(two.deviceId, { auth }), 401, 'M_FORBIDDEN')
      const deactivate = await server.request('POST', `${V3}/account/deactivate`, {
        token: alice.token,
        body: { auth },
      })
      refused(deactivate, 401, 'M_FORBIDDEN')
      const mallory = await server.register('mallory')
      refused(await remove(one.deviceId, { auth }, mallory.token), 401, 'M_FORBIDDEN')
      assert.deepEqual([await exists(one.deviceId), await exists(two.deviceId)], [true, true])
    })
    it('is for the request that it was given for: another list of devices needs its own', async () => {
      const [one, two] = [await logIn(), await logIn()]
      const send = (devices: string[], auth: JsonObject) =>
        server.request('POST', `${V3}/delete_devices`, { token: alice.token, body: { devices, auth } })
      const { session } = (
        await server.request('POST', `${V3}/delete_devices`, {
          token: alice.token,
          body: { devices: [one.deviceId] },
        })
      ).json()
      assert.equal((await send([one.deviceId], { ...proof(), session: session! })).status, 200)
      refused(await send([two.deviceId], { session: session! }), 401, 'M_FORBIDDEN')
      assert.equal(await exists(two.deviceId), true)
      assert.equal((await send([one.deviceId], { session: session! })).status, 200)
    })
    it('offers a new session in the place of one it does not know', async () => {
      const other = await logIn()
      const answer = await remove(other.deviceId, { auth: { ...proof(), session: 'made-up' } })
      refused(answer, 401, 'M_FORBIDDEN')
      assert.notEqual(answer.json()['session'], 'made-up')
      for (const auth of [{}, { type: 7 }, { session: [] }, { type: 'm.login.password' }]) {
        assert.equal((await remove(other.deviceId, { auth: auth as JsonObject })).status, 401)
      }
      refused(await remove(other.deviceId, { auth: { type: 'm.login.dummy' } }), 401, 'M_UNRECOGNIZED')
      assert.equal(await exists(other.deviceId), true)
    })
    it('changes a password, and ends the other devices unless they are to stay', async () => {
      const own = await server.register('changer')
      const other = await logIn('changer')
      const change = (password: string, next: string, more: JsonObject = {}) =>
        server.request('POST', `${V3}/account/password`, {
          token: own.token,
          body: { new_password: next, auth: proof('changer', password), ...more },
        })
      const whoami = async (token: string) =>
        (await server.request('GET', `${V3}/account/whoami`, { token })).status
      assert.equal((await change(TEST_PASSWORD, 'another password')).status, 200)
      assert.deepEqual([await whoami(own.token), await whoami(other.token)], [200, 401])
      refused(await change(TEST_PASSWORD, 'third password'), 401, 'M_FORBIDDEN')
      const kept = await logIn('changer', 'another password')
      assert.equal(
        (await change('another password', 'third password', { logout_devices: false })).status,
        200,
      )
      assert.deepEqual([await whoami(own.token), await whoami(kept.token)], [200, 200])
      refused(await change('third password', 'abc'), 400, 'M_WEAK_PASSWORD')
      refused(await change('third password', 7 as never), 400, 'M_BAD_JSON')
    })
    it('deactivates, and with erase leaves nothing but the name', async () => {
      const own = await server.register('leaver')
      const url = `${V3}/account/deactivate`
      const asked = await server.request('POST', url, { token: own.token, body: {} })
      assert.deepEqual(asked.json()['flows'], [{ stages: ['m.login.password'] }])
      const body = { erase: true, auth: proof('leaver') }
      const done = await server.request('POST', url, { token: own.token, body })
      assert.deepEqual([done.status, done.json()], [200, { id_server_unbind_result: 'success' }])
      await server.hs.accounts.jobs.idle()
      await server.hs.jobs.idle()
      for (const table of ['profiles', 'devices', 'access_tokens', 'user_jobs']) {
        const rows = await server.hs.db.query(`SELECT 1 AS one FROM ${table} WHERE user_id = ?`, [own.userId])
        assert.deepEqual([table, rows.length], [table, 0])
      }
      const [user] = await server.hs.db.query(
        'SELECT password_hash, is_erased FROM users WHERE user_id = ?',
        [own.userId],
      )
      assert.deepEqual({ ...user }, { password_hash: '', is_erased: 1 })
    })
    it('renames devices without, and only those that there are', async () => {
      const rename = (id: string, body: JsonObject) =>
        server.request('PUT', `${V3}/devices/${id}`, { token: alice.token, body })
      assert.equal((await rename(alice.deviceId, { display_name: 'Desk' })).status, 200)
      assert.equal((await rename(alice.deviceId, {})).status, 200)
      const device = await server.request('GET', `${V3}/devices/${alice.deviceId}`, { token: alice.token })
      assert.equal(device.json()['display_name'], 'Desk')
      refused(await rename('none', { display_name: 'x' }), 404, 'M_NOT_FOUND')
      refused(await rename(alice.deviceId, { display_name: 3 }), 400, 'M_BAD_JSON')
    })
  })
}

describe('confirmation sessions', () => {
  it('are bounded, and strangers cannot push out those of people who are logged in', () => {
    const sessions = createUiaSessions(systemClock, systemRandom)
    const own = sessions.begin('x', '@a:b')
    const first = sessions.begin('x', '')
    for (let i = 0; i < 10_000; i++) sessions.begin('x', '')
    assert.ok(sessions.size() <= 4_001, String(sessions.size()))
    assert.equal(sessions.find(own.id, 'x', '@a:b'), own)
    assert.equal(sessions.find(first.id, 'x', ''), undefined)
  })
  it('expire after a quarter of an hour', () => {
    let now = 0
    const sessions = createUiaSessions({ monotonic: () => now }, systemRandom)
    const session = sessions.begin('x', '')
    now = 15 * 60_000 - 1
    assert.equal(sessions.find(session.id, 'x', ''), session)
    now += 1
    assert.equal(sessions.find(session.id, 'x', ''), undefined)
  })
})
