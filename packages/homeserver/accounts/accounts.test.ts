import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { accountRoutes } from '../client/account-routes.ts'
import { findServerDrivers, TEST_PASSWORD, type TestServer } from '../test-server.ts'

const V3 = '/_matrix/client/v3'

for (const driver of await findServerDrivers()) {
  describe(`accounts on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    before(async () => {
      server = await driver.start({ endpoints: accountRoutes })
    })
    after(() => server[Symbol.asyncDispose]())

    const post = (path: string, body: Record<string, unknown>, token?: string) =>
      server.request('POST', V3 + path, { body: body as never, ...(token === undefined ? {} : { token }) })
    const get = (path: string, token?: string) =>
      server.request('GET', V3 + path, token === undefined ? {} : { token })
    const logIn = (user: string, more: Record<string, unknown> = {}) =>
      post('/login', {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user },
        password: TEST_PASSWORD,
        ...more,
      })

    it('registers after a flow and knows its token', async () => {
      const asked = await post('/register', {})
      assert.equal(asked.status, 401)
      const challenge = asked.json()
      assert.deepEqual(challenge['flows'], [{ stages: ['m.login.dummy'] }])
      assert.equal(challenge['errcode'], undefined)
      const auth = { type: 'm.login.dummy', session: challenge['session'] }
      const made = await post('/register', { username: 'Alice', password: TEST_PASSWORD, auth })
      assert.equal(made.status, 200)
      const { access_token: token, user_id: userId } = made.json()
      assert.equal(userId, '@alice:test.example')
      const who = (await get('/account/whoami', token as string)).json()
      assert.deepEqual(who, { user_id: userId, is_guest: false, device_id: made.json()['device_id']! })
    })
    it('logs in by local part, by id and in capitals, and refuses others alike', async () => {
      await server.register('login-user')
      for (const name of ['login-user', '@login-user:test.example', '@LOGIN-user:test.example']) {
        assert.equal((await logIn(name)).status, 200, name)
      }
      const wrong = await logIn('login-user', { password: 'no' })
      const nobody = await logIn('nobody-at-all')
      assert.equal(wrong.status, 403)
      assert.deepEqual(wrong.json(), nobody.json())
    })
  })
}
