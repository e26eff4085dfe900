import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { accountRoutes } from '../client/account-routes.ts'
import { findServerDrivers, TEST_PASSWORD, type TestServer } from '../test-server.ts'
import { createRegistrationToken, createUser, setStanding } from './administer.ts'

const V3 = '/_matrix/client/v3'
const DUMMY = { type: 'm.login.dummy' }

const refused = (answer: DispatchResponse, status: number, errcode: string): void => {
  assert.deepEqual([answer.status, answer.json()['errcode']], [status, errcode])
}

for (const driver of await findServerDrivers()) {
  describe(`registration and login on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    before(async () => {
      server = await driver.start({ endpoints: accountRoutes })
    })
    after(() => server[Symbol.asyncDispose]())

    const post = (path: string, body: JsonObject, token?: string) =>
      server.request('POST', V3 + path, { body, ...(token === undefined ? {} : { token }) })
    const get = (path: string, token?: string) =>
      server.request('GET', V3 + path, token === undefined ? {} : { token })
    const registerAs = (username: string, more: JsonObject = {}) =>
      post('/register', { username, password: TEST_PASSWORD, auth: DUMMY, ...more })
    const logIn = (user: string, more: JsonObject = {}) =>
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
      assert.deepEqual([challenge['params'], challenge['errcode']], [{}, undefined])
      const made = await registerAs('Alice', { auth: { ...DUMMY, session: challenge['session']! } })
      assert.equal(made.status, 200)
      const { access_token: token, user_id: userId, device_id: deviceId } = made.json()
      assert.equal(userId, '@alice:test.example')
      const who = (await get('/account/whoami', token as string)).json()
      assert.deepEqual(who, { user_id: userId, is_guest: false, device_id: deviceId })
    })
    it('refuses names outside the grammar, kept ones, and those that are taken', async () => {
      for (const name of ['a!', 'a:b', 'ä', 'a b', '', '_ghost', 'x'.repeat(300)]) {
        refused(await registerAs(name), 400, 'M_INVALID_USERNAME')
      }
      assert.equal((await registerAs('q3._=-/+')).status, 200)
      await server.register('taken')
      refused(await registerAs('TAKEN'), 400, 'M_USER_IN_USE')
      refused(await post('/register', { username: 'taken' }), 400, 'M_USER_IN_USE')
      refused(await get('/register/available?username=taken'), 400, 'M_USER_IN_USE')
      refused(await get('/register/available?username=a%2Cb'), 400, 'M_INVALID_USERNAME')
      assert.deepEqual((await get('/register/available?username=free')).json(), { available: true })
    })
    it('gives a name to one of two who ask for it at once', async () => {
      const answers = await Promise.all(['race', 'Race', 'race'].map((name) => registerAs(name)))
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 400, 400],
      )
    })
    it('takes the device the client asks for, and none when no login is wanted', async () => {
      const own = (
        await registerAs('with-device', { device_id: 'MINE', initial_device_display_name: 'Phone' })
      ).json()
      assert.equal(own['device_id'], 'MINE')
      const devices = (await get('/devices', own['access_token'] as string)).json()
      const [device] = devices['devices'] as JsonObject[]
      assert.deepEqual([device!['device_id'], device!['display_name']], ['MINE', 'Phone'])
      const nulls = { device_id: null, initial_device_display_name: null }
      assert.equal(typeof (await registerAs('with-nulls', nulls)).json()['device_id'], 'string')
      const without = (await registerAs('without-login', { inhibit_login: true })).json()
      assert.deepEqual(without, { user_id: '@without-login:test.example' })
      assert.equal((await logIn('without-login')).status, 200)
    })
    it('refuses guests, weak and overlong passwords, and values of the wrong type', async () => {
      const guest = await post('/register?kind=guest', {})
      refused(guest, 403, 'M_GUEST_ACCESS_FORBIDDEN')
      refused(await post('/register?kind=king', {}), 400, 'M_INVALID_PARAM')
      refused(await registerAs('weak', { password: 'abc' }), 400, 'M_WEAK_PASSWORD')
      refused(await registerAs('long', { password: 'x'.repeat(100_000) }), 400, 'M_BAD_JSON')
      refused(await registerAs('none', { password: null }), 400, 'M_BAD_JSON')
      refused(await post('/register', { username: 'nopass', auth: DUMMY }), 400, 'M_MISSING_PARAM')
      for (const body of [
        { username: 1 },
        { auth: [] },
        { auth: 'x' },
        { inhibit_login: 'yes' },
        { device_id: {} },
      ]) {
        refused(await post('/register', body as JsonObject), 400, 'M_BAD_JSON')
      }
      const broken = await server.request('POST', `${V3}/register`, {
        body: Buffer.from('7b2261223a2281227d', 'hex') as never,
      })
      refused(broken, 400, 'M_NOT_JSON')
    })
    it('makes a name up for who gives none', async () => {
      const { user_id: userId } = (await post('/register', { password: TEST_PASSWORD, auth: DUMMY })).json()
      assert.match(userId as string, /^@[a-z0-9]{12}:test\.example$/)
    })
    it('logs in by local part, by id and in capitals, and refuses others alike', async () => {
      await server.register('login-user')
      for (const name of ['login-user', '@login-user:test.example', '@LOGIN-user:test.example']) {
        assert.equal((await logIn(name)).status, 200, name)
      }
      const old = { type: 'm.login.password', user: 'login-user', password: TEST_PASSWORD }
      assert.equal((await post('/login', old)).status, 200)
      const wrong = await logIn('login-user', { password: 'no' })
      refused(wrong, 403, 'M_FORBIDDEN')
      for (const name of ['nobody-at-all', '@login-user:elsewhere.example', '@:', '']) {
        assert.deepEqual((await logIn(name)).json(), wrong.json(), name)
      }
    })
    it('explains logins it does not know', async () => {
      assert.equal((await get('/login')).status, 200)
      refused(await post('/login', { type: 'm.login.sso', token: 'x' }), 400, 'M_UNKNOWN')
      refused(await post('/login', { type: 'm.login.token' }), 400, 'M_MISSING_PARAM')
      refused(await post('/login', {}), 400, 'M_BAD_JSON')
      refused(await post('/login', { type: 'm.login.password' }), 400, 'M_MISSING_PARAM')
      refused(await logIn('login-user', { password: 5 }), 400, 'M_BAD_JSON')
      const byMail = { identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'a@b.c' } }
      refused(await logIn('login-user', byMail), 403, 'M_FORBIDDEN')
      refused(
        await post('/login', { type: 'm.login.application_service', user: 'x' }),
        401,
        'M_MISSING_TOKEN',
      )
    })
    it('uses a device again, and ends its earlier token', async () => {
      const { token, deviceId } = await server.register('again')
      assert.equal((await get('/account/whoami', token)).status, 200)
      const second = (await logIn('again', { device_id: deviceId })).json()
      assert.equal(second['device_id'], deviceId)
      refused(await get('/account/whoami', token), 401, 'M_UNKNOWN_TOKEN')
      assert.equal((await get('/account/whoami', second['access_token'] as string)).status, 200)
      const { devices } = (await get('/devices', second['access_token'] as string)).json()
      assert.equal((devices as JsonObject[]).length, 1)
    })
    it('replaces a hash that was made at another cost', async () => {
      await server.register('cheaply')
      const hashes = async (): Promise<unknown> =>
        (
          await server.hs.db.query('SELECT password_hash FROM users WHERE user_id = ?', [
            '@cheaply:test.example',
          ])
        )[0]
      const before = (await hashes()) as { password_hash: string }
      const { createPasswords } = await import('./passwords.ts')
      const other = createPasswords({ memory: 16, passes: 1, parallelism: 1 }, server.hs.random)
      const outdated = await other.hash(TEST_PASSWORD, '')
      const sql = 'UPDATE users SET password_hash = ? WHERE user_id = ?'
      await server.hs.db.commit({
        entries: [],
        steps: [{ sql, params: [outdated, '@cheaply:test.example'] }],
      })
      assert.equal((await logIn('cheaply')).status, 200)
      const after = (await hashes()) as { password_hash: string }
      assert.equal(after.password_hash.split('$')[3], before.password_hash.split('$')[3])
      assert.equal((await logIn('cheaply')).status, 200)
    })
    it('logs out one device, or all', async () => {
      const { token } = await server.register('leaver')
      const other = (await logIn('leaver')).json()['access_token'] as string
      assert.equal((await get('/account/whoami', other)).status, 200)
      assert.equal((await post('/logout', {}, other)).status, 200)
      refused(await get('/account/whoami', other), 401, 'M_UNKNOWN_TOKEN')
      const { devices } = (await get('/devices', token)).json()
      assert.equal((devices as JsonObject[]).length, 1)
      const third = (await logIn('leaver')).json()['access_token'] as string
      assert.equal((await post('/logout/all', {}, third)).status, 200)
      for (const one of [token, third]) refused(await get('/account/whoami', one), 401, 'M_UNKNOWN_TOKEN')
      refused(await post('/logout', {}), 401, 'M_MISSING_TOKEN')
      refused(await post('/logout', {}, 'made-up'), 401, 'M_UNKNOWN_TOKEN')
    })
    it('keeps tokens as hashes only', async () => {
      const { token } = await server.register('hashed')
      const refresh = (await logIn('hashed', { refresh_token: true })).json()['refresh_token'] as string
      for (const table of ['access_tokens', 'refresh_tokens']) {
        const rows = JSON.stringify(await server.hs.db.query(`SELECT token_hash FROM ${table}`, []))
        assert.ok(!rows.includes(token) && !rows.includes(refresh))
      }
    })
    it('lets a locked account do nothing but log out, without ending its devices', async () => {
      const { token, userId } = await server.register('locked')
      assert.equal((await get('/account/whoami', token)).status, 200)
      await setStanding(server.hs, userId as never, 'locked', true)
      const answer = await get('/account/whoami', token)
      refused(answer, 401, 'M_USER_LOCKED')
      assert.equal(answer.json()['soft_logout'], true)
      refused(await logIn('locked'), 401, 'M_USER_LOCKED')
      await setStanding(server.hs, userId as never, 'locked', false)
      assert.equal((await get('/account/whoami', token)).status, 200)
      await setStanding(server.hs, userId as never, 'locked', true)
      assert.equal((await post('/logout', {}, token)).status, 200)
    })
    it('lets a suspended account read, log in and leave, and nothing that others see', async () => {
      const { token, userId } = await server.register('suspended')
      await setStanding(server.hs, userId as never, 'suspended', true)
      assert.equal((await get('/devices', token)).status, 200)
      const named = await server.request('PUT', `${V3}/profile/${userId}/displayname`, {
        token,
        body: { displayname: 'loud' },
      })
      refused(named, 403, 'M_USER_SUSPENDED')
      assert.equal((await logIn('suspended')).status, 200)
      assert.equal((await post('/logout', {}, token)).status, 200)
    })
    it('serves versions, capabilities and where it is', async () => {
      const { versions } = (await server.request('GET', '/_matrix/client/versions')).json()
      assert.ok((versions as string[]).every((one) => /^(r0|v1)\.\d+(\.\d+)?$/.test(one)))
      const { token } = await server.register('curious')
      const { capabilities } = (await get('/capabilities', token)).json()
      const rooms = (capabilities as JsonObject)['m.room_versions'] as JsonObject
      assert.equal(rooms['default'], '12')
      const available = Object.entries(rooms['available'] as JsonObject)
      const unstable = available.filter(([, disposition]) => disposition !== 'stable')
      assert.deepEqual(unstable, [
        ['org.matrix.msc3757.10', 'unstable'],
        ['org.matrix.msc3757.11', 'unstable'],
      ])
      assert.equal(available.length - unstable.length, 12)
      refused(await get('/capabilities'), 401, 'M_MISSING_TOKEN')
      const known = (await server.request('GET', '/.well-known/matrix/client')).json()
      assert.deepEqual(known, { 'm.homeserver': { base_url: 'https://test.example' } })
    })
    it('has no registration by shared secret unless there is one', async () => {
      refused(await server.request('GET', '/_synapse/admin/v1/register'), 403, 'M_FORBIDDEN')
    })
    it('answers a name with NUL, or a token of a megabyte, as it does any other that is wrong', async () => {
      refused(await logIn('a\0b'), 403, 'M_FORBIDDEN')
      refused(await get('/account/whoami', 'x'.repeat(1_000_000)), 401, 'M_UNKNOWN_TOKEN')
      refused(await post('/refresh', { refresh_token: 'nul\0' }), 401, 'M_UNKNOWN_TOKEN')
    })
  })

  describe(`closed and token registration on ${driver.name}`, { skip: driver.skip }, () => {
    const start = (registration: object) =>
      driver.start({ endpoints: accountRoutes, config: { registration: registration as never } })
    const post = (server: TestServer, body: JsonObject) => server.request('POST', `${V3}/register`, { body })

    it('lets nobody in where it is closed, but who was made an account', async () => {
      await using server = await start({ mode: 'closed', terms: [] })
      refused(await post(server, {}), 403, 'M_FORBIDDEN')
      refused(await post(server, { username: 'a', password: TEST_PASSWORD, auth: DUMMY }), 403, 'M_FORBIDDEN')
      await createUser(server.hs, { username: 'made', password: TEST_PASSWORD, isAdmin: true })
      const body = { type: 'm.login.password', user: 'made', password: TEST_PASSWORD }
      assert.equal((await server.request('POST', `${V3}/login`, { body })).status, 200)
    })
    it('asks for a token and terms, stage by stage, and uses the token up', async () => {
      const terms = [
        { id: 'tos', version: '1.2', name: 'Terms', url: 'https://test.example/t', language: 'en' },
      ]
      await using server = await start({ mode: 'token', terms })
      const { token } = await createRegistrationToken(server.hs, { usesAllowed: 1 })
      const validity = `/_matrix/client/v1/register/m.login.registration_token/validity?token=`
      const isValid = async (text: string) => (await server.request('GET', validity + text)).json()['valid']
      assert.deepEqual([await isValid(token), await isValid('made-up')], [true, false])

      const person = { username: 'invited', password: TEST_PASSWORD }
      const first = (await post(server, person)).json()
      assert.deepEqual(first['flows'], [{ stages: ['m.login.registration_token', 'm.login.terms'] }])
      assert.deepEqual(first['params'], {
        'm.login.terms': {
          policies: { tos: { version: '1.2', en: { name: 'Terms', url: 'https://test.example/t' } } },
        },
      })
      const session = first['session']!
      const stage = (auth: JsonObject, more: JsonObject = {}) =>
        post(server, { ...person, ...more, auth: { session, ...auth } })
      refused(await stage({ type: 'm.login.registration_token', token: 'wrong' }), 401, 'M_UNAUTHORIZED')
      refused(await stage({ type: 'm.login.registration_token' }), 401, 'M_MISSING_PARAM')
      refused(await stage({ type: 'm.login.dummy' }), 401, 'M_UNRECOGNIZED')
      const second = await stage({ type: 'm.login.registration_token', token })
      assert.deepEqual([second.status, second.json()['completed']], [401, ['m.login.registration_token']])
      const done = await stage({ type: 'm.login.terms' })
      assert.equal(done.status, 200)
      assert.equal(await isValid(token), false)
      const [row] = await server.hs.db.query('SELECT terms_accepted FROM users WHERE user_id = ?', [
        '@invited:test.example',
      ])
      assert.equal(row!['terms_accepted'], '{"tos":"1.2"}')
      // The answer got lost: the same request has the same one; another has none.
      assert.deepEqual((await stage({ type: 'm.login.terms' })).json(), done.json())
      refused(await stage({ type: 'm.login.terms' }, { username: 'second' }), 401, 'M_FORBIDDEN')
    })
    it('lets one of two have a token that is good for one', async () => {
      await using server = await start({ mode: 'token', terms: [] })
      const { token } = await createRegistrationToken(server.hs, { usesAllowed: 1 })
      const auth = { type: 'm.login.registration_token', token }
      const answers = await Promise.all(
        ['one', 'two'].map((username) => post(server, { username, password: TEST_PASSWORD, auth })),
      )
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 401],
      )
      const [loser] = answers.filter(({ status }) => status === 401)
      refused(loser!, 401, 'M_UNAUTHORIZED')
      assert.equal(loser!.json()['completed'], undefined)
    })
    it('registers by shared secret as Synapse does', async () => {
      await using server = await start({ mode: 'closed', terms: [], shared_secret: 'complement' })
      const path = '/_synapse/admin/v1/register'
      const nonceOf = async () => (await server.request('GET', path)).json()['nonce'] as string
      const send = (nonce: string, secret: string, username: string, admin: boolean) => {
        const text = [nonce, username, TEST_PASSWORD, admin ? 'admin' : 'notadmin'].join('\0')
        const mac = createHmac('sha1', secret).update(text).digest('hex')
        return server.request('POST', path, {
          body: { nonce, username, password: TEST_PASSWORD, mac, admin },
        })
      }
      const nonce = await nonceOf()
      const made = await send(nonce, 'complement', 'Shared-SECRET', true)
      assert.equal(made.json()['user_id'], '@shared-secret:test.example')
      assert.equal(made.json()['home_server'], 'test.example')
      refused(await send(nonce, 'complement', 'again', false), 400, 'M_INVALID_PARAM')
      refused(await send(await nonceOf(), 'guess', 'other', false), 403, 'M_FORBIDDEN')
      refused(await send(await nonceOf(), 'complement', 'us,er', false), 400, 'M_INVALID_USERNAME')
      const [user] = await server.hs.db.query(
        "SELECT is_admin FROM users WHERE user_id = '@shared-secret:test.example'",
        [],
      )
      assert.equal(user!['is_admin'], 1)
    })
  })
}
