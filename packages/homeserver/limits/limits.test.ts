import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { giveCommand } from '../admin/test-command.ts'
import { testRegistration } from '../appservice/test-appservice.ts'
import { clientRoutes } from '../client/routes.ts'
import { findServerDrivers, testConfig, type TestServer } from '../test-server.ts'
import { UNLIMITED } from './test-limits.ts'

const IRC = testRegistration('irc', null)
const FEW = { per_second: 0.0001, burst: 2 }

const give = ({ hs }: TestServer, name: string, input?: JsonObject): Promise<JsonValue> =>
  giveCommand(hs, name, input)

/** Makes a ghost of the application service; the status of the answer. */
async function makeGhost(server: TestServer, name: string): Promise<number> {
  const body = { type: 'm.login.application_service', username: `_irc_${name}`, inhibit_login: true }
  const path = '/_matrix/client/v3/register'
  return (await server.request('POST', path, { token: IRC.as_token, body })).status
}

const repeat = async (count: number, ask: (at: number) => Promise<number>): Promise<number[]> => {
  const statuses: number[] = []
  for (let at = 0; at < count; at++) statuses.push(await ask(at))
  return statuses
}

for (const driver of await findServerDrivers()) {
  describe(`limits on ${driver.name}`, { skip: driver.skip }, () => {
    it('ghosts that a bridge makes are no people who register from one address', async () => {
      const limits = {
        ...UNLIMITED,
        registration: FEW,
        application_service: { per_second: 0.0001, burst: 5 },
      }
      await using server = await driver.start({
        endpoints: clientRoutes,
        appservices: [IRC],
        config: { rate_limits: limits },
      })
      const statuses = await repeat(7, (at) => makeGhost(server, `g${at}`))
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429])
      const stranger = (at: number): Promise<number> =>
        server
          .request('POST', '/_matrix/client/v3/register', {
            body: { username: `p${at}`, password: 'a good password', auth: { type: 'm.login.dummy' } },
            token: at === 2 ? 'no token of a service' : '',
          })
          .then(({ status }) => status)
      assert.deepEqual(await repeat(3, stranger), [200, 200, 429])
      // Whoever it acts as, the requests are its own.
      const asked = await server.request(
        'GET',
        '/_matrix/client/v3/joined_rooms?user_id=@_irc_g1:test.example',
        {
          token: IRC.as_token,
        },
      )
      assert.equal(asked.status, 429)
    })

    it('who goes on with a registration, or looks for a name, does not use up the turns to begin one', async () => {
      const terms = [
        { id: 'tos', version: '1', name: 'Terms', url: 'https://test.example/tos', language: 'en' },
      ]
      await using server = await driver.start({
        endpoints: clientRoutes,
        config: {
          rate_limits: { ...UNLIMITED, registration: FEW },
          registration: { ...testConfig('/nowhere', {}).registration, mode: 'open', terms },
        },
      })
      const ask = (auth?: JsonObject) =>
        server.request('POST', '/_matrix/client/v3/register', {
          body: { username: 'slow', password: 'a good password', ...(auth && { auth }) },
        })
      const session = (await ask()).json()['session'] as string
      // As Element does it, every two seconds, while somebody reads; and with every letter that is typed.
      const reading = await repeat(20, async () => (await ask({ session })).status)
      assert.deepEqual(new Set(reading), new Set([401]))
      const available = '/_matrix/client/v3/register/available?username=slo'
      assert.equal(
        (await repeat(20, async () => (await server.request('GET', available)).status)).at(-1),
        200,
      )
      assert.equal((await ask({ session, type: 'm.login.terms' })).status, 200)
      // Guesses at tokens, sessions that are none, and new ones are counted.
      const guess = { session, type: 'm.login.registration_token', token: 'x' }
      assert.notEqual((await ask(guess)).status, 429)
      assert.deepEqual([(await ask(guess)).status, (await ask({ session: 'none' })).status], [429, 429])
      assert.equal((await ask()).status, 429)
    })

    it('who waits for the mail by which a password is set anew is no guesser', async () => {
      const email = { ...testConfig('/nowhere', {}).email, host: '127.0.0.1', from: 'chat@test.example' }
      const limits = { ...UNLIMITED, login: FEW }
      await using server = await driver.start({
        endpoints: clientRoutes,
        config: { rate_limits: limits, email },
      })
      const ask = (auth?: JsonObject): Promise<{ status: number; json(): JsonObject }> =>
        server.request('POST', '/_matrix/client/v3/account/password', {
          body: { new_password: 'a good password', ...(auth && { auth }) },
        })
      const session = (await ask()).json()['session'] as string
      // As Element does it, every two seconds.
      const stage = { type: 'm.login.email.identity', threepid_creds: { sid: 'x', client_secret: 'y' } }
      const waiting = await repeat(20, async () => (await ask({ session, ...stage })).status)
      assert.deepEqual(new Set(waiting), new Set([401]))
      assert.deepEqual([(await ask()).status, (await ask({ session: 'none' })).status], [401, 429])
    })

    it('operators change them while it runs, of everybody and of one, and a restart keeps that', async () => {
      let server = await driver.start({
        endpoints: clientRoutes,
        appservices: [IRC],
        config: { rate_limits: { ...UNLIMITED, read: FEW } },
      })
      const alice = await server.register('alice')
      const bob = await server.register('bob')
      const read = async (token: string): Promise<number> =>
        (await server.request('GET', '/_matrix/client/v3/joined_rooms', { token })).status
      try {
        assert.deepEqual(await repeat(3, () => read(alice.token)), [200, 200, 429])
        const [held] = (await give(server, 'limit-waiting')) as JsonObject[]
        assert.deepEqual([held?.['action'], held?.['of']], ['read', `user ${alice.userId}`])
        assert.ok(Number(held?.['wait_seconds']) > 9_000)

        const set = await give(server, 'limit-set', {
          action: 'read',
          user: 'alice',
          perSecond: 0.001,
          burst: 4,
        })
        assert.deepEqual(set, { action: 'read', of: `user ${alice.userId}`, per_second: 0.001, burst: 4 })
        assert.deepEqual(await repeat(5, () => read(alice.token)), [200, 200, 200, 200, 429])
        assert.deepEqual(await repeat(3, () => read(bob.token)), [200, 200, 429])

        await give(server, 'limit-set', { action: 'read', perSecond: 0.001, burst: 3 })
        assert.deepEqual(await repeat(4, () => read(bob.token)), [200, 200, 200, 429])
        await give(server, 'limit-set', {
          action: 'registration',
          appservice: 'irc',
          perSecond: 0.001,
          burst: 1,
        })
        assert.deepEqual(await repeat(2, (at) => makeGhost(server, `h${at}`)), [200, 429])

        server = await server.restart()
        assert.deepEqual(await repeat(4, () => read(bob.token)), [200, 200, 200, 429])
        assert.deepEqual(await repeat(5, () => read(alice.token)), [200, 200, 200, 200, 429])
        assert.deepEqual(await repeat(2, (at) => makeGhost(server, `i${at}`)), [200, 429])
        const listed = (await give(server, 'limit-list')) as JsonObject[]
        assert.deepEqual(
          listed
            .filter(({ from }) => from === 'limit set')
            .map((one) => [one['action'], one['of'], one['burst']]),
          [
            ['read', 'everybody', 3],
            ['registration', 'appservice irc', 1],
            ['read', `user ${alice.userId}`, 4],
          ],
        )
        assert.equal(listed.length, Object.keys(UNLIMITED).length + 2)

        await give(server, 'limit-reset', { action: 'read' })
        await give(server, 'limit-reset', { action: 'read', user: alice.userId })
        await give(server, 'limit-reset', { action: 'registration', appservice: 'irc' })
        assert.deepEqual(await repeat(3, () => read(alice.token)), [200, 200, 429])
        assert.deepEqual(await repeat(3, () => read(bob.token)), [200, 200, 429])
        assert.deepEqual(await repeat(3, (at) => makeGhost(server, `j${at}`)), [200, 200, 200])
        server = await server.restart()
        assert.deepEqual(await repeat(3, () => read(bob.token)), [200, 200, 429])
      } finally {
        await server[Symbol.asyncDispose]()
      }
    })

    it('a limit that would limit nothing is refused, with what would', async () => {
      await using server = await driver.start({ endpoints: clientRoutes, appservices: [IRC] })
      const refused = (input: JsonObject, sentence: RegExp): Promise<void> =>
        assert.rejects(give(server, 'limit-set', { perSecond: 1, ...input }), sentence)
      await refused(
        { action: 'message', server: 'evil.example' },
        /not counted by server; these are: federation, sticky, all/,
      )
      await refused({ action: 'all' }, /is of one principal/)
      await refused({ action: 'application_service', appservice: 'irc' }, /of one it is "all"/)
      await refused({ action: 'message', appservice: 'xmpp' }, /no application service xmpp/)
      await refused({ action: 'message', user: 'alice', server: 'evil.example' }, /Only one of/)
      await refused({ action: 'read', address: '1.2.3' }, /no IP address/)
      await refused({ action: 'read', perSecond: -1 }, /perSecond/)
      await refused({ action: 'reads' }, /action/)
      const set = await give(server, 'limit-set', { action: 'login', address: '2001:db8::1', perSecond: 0.5 })
      assert.deepEqual(set, { action: 'login', of: 'address 2001:db8:0:0', per_second: 0.5, burst: 5 })
    })
  })
}
