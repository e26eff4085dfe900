import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { accountRoutes } from '../client/account-routes.ts'
import { shiftedClock } from '../federation/keys/test-key-world.ts'
import { findServerDrivers, TEST_PASSWORD, type TestServer } from '../test-server.ts'
import { changePassword } from './change-password.ts'
import { setStanding } from './administer.ts'

const V3 = '/_matrix/client/v3'

/** A token for another client of somebody's, who gives their password for it. */
async function makeToken(server: TestServer, user: string, token: string): Promise<string> {
  const ask = (body: JsonObject) =>
    server.request('POST', '/_matrix/client/v1/login/get_token', { token, body })
  const challenge = await ask({})
  assert.equal(challenge.status, 401)
  const { session } = challenge.json()
  const identifier = { type: 'm.id.user', user }
  const auth = { type: 'm.login.password', identifier, password: TEST_PASSWORD, session: session! }
  const answer = await ask({ auth })
  assert.deepEqual([answer.status, answer.json()['expires_in_ms']], [200, 120_000])
  // Consent is for one: the same session gives the same token again.
  const again = await ask({ auth: { session: session! } })
  assert.equal(again.json()['login_token'], answer.json()['login_token'])
  return answer.json()['login_token'] as string
}

for (const driver of await findServerDrivers()) {
  describe(`login tokens on ${driver.name}`, { skip: driver.skip }, () => {
    it('log another client in once, soon, and as nobody else', async () => {
      const clock = shiftedClock()
      await using server = await driver.start({ endpoints: accountRoutes, clock })
      const alice = await server.register('alice')
      const logIn = async (token: string): Promise<readonly unknown[]> => {
        const answer = await server.request('POST', `${V3}/login`, { body: { type: 'm.login.token', token } })
        const { user_id: userId, device_id: deviceId, errcode } = answer.json()
        return answer.status === 200 ? [userId, deviceId !== alice.deviceId] : [answer.status, errcode]
      }
      const { flows } = (await server.request('GET', `${V3}/login`)).json()
      const offered = (flows as JsonObject[]).find(({ type }) => type === 'm.login.token')
      assert.equal(offered?.['get_login_token'], true)
      const token = await makeToken(server, 'alice', alice.token)
      const [first, second] = await Promise.all([logIn(token), logIn(token)])
      assert.deepEqual(
        [first, second].filter(([userId]) => userId === alice.userId),
        [[alice.userId, true]],
        'two at once: one of them',
      )
      assert.deepEqual(await logIn(token), [403, 'M_FORBIDDEN'])
      const late = await makeToken(server, 'alice', alice.token)
      clock.shift(120_001)
      assert.deepEqual(await logIn(late), [403, 'M_FORBIDDEN'])
      const stolen = await makeToken(server, 'alice', alice.token)
      await changePassword(server.hs, alice.userId as UserId, `${TEST_PASSWORD} 2`, { keepDevices: true })
      assert.deepEqual(await logIn(stolen), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await logIn('x'.repeat(10_000)), [403, 'M_FORBIDDEN'])
    })

    it('do not open a locked account', async () => {
      await using server = await driver.start({ endpoints: accountRoutes })
      const bob = await server.register('bob')
      const token = await makeToken(server, 'bob', bob.token)
      await setStanding(server.hs, bob.userId as UserId, 'locked', true)
      const answer = await server.request('POST', `${V3}/login`, { body: { type: 'm.login.token', token } })
      assert.deepEqual([answer.status, answer.json()['errcode']], [401, 'M_USER_LOCKED'])
    })
  })
}
