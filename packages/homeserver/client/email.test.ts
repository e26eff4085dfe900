import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { parse, type DefaultTreeAdapterTypes } from 'parse5'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import type { HomeserverConfig } from '../config.ts'
import { startMailServer, type TestMailServer } from '../email/test-mail-server.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import {
  findServerDrivers,
  TEST_PASSWORD,
  testConfig,
  type ServerDriver,
  type TestServer,
} from '../test-server.ts'
import { accountRoutes } from './account-routes.ts'

const HOUR = 3_600_000
const V3 = '/_matrix/client/v3'

let mail: TestMailServer

before(async () => {
  mail = await startMailServer()
})
beforeEach(() => {
  mail.mails.length = 0
  mail.refuse(0)
})
after(() => mail[Symbol.asyncDispose]())

interface Post extends AsyncDisposable {
  readonly server: TestServer
  pass(ms: number): void
  post(path: string, body: JsonObject, token?: string): Promise<DispatchResponse>
  /** The answer's JSON; fails the test unless the status is 200. */
  good(path: string, body: JsonObject, token?: string): Promise<JsonObject>
  /** Asks for a mail; the credentials of its session. */
  begin(purpose: string, email: string, more?: JsonObject): Promise<{ sid: string; client_secret: string }>
  /** Opens the link in a mail and presses the button. */
  press(link: string): Promise<DispatchResponse>
  addresses(token: string): Promise<unknown[]>
}

async function openPost(
  driver: ServerDriver,
  email: Partial<HomeserverConfig['email']> = {},
  more: Partial<HomeserverConfig> = {},
): Promise<Post> {
  let shift = 0
  const clock = {
    ...systemClock,
    now: () => systemClock.now() + shift,
    monotonic: () => systemClock.monotonic() + shift,
    // Pauses between tries cost a test nothing.
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms === 5_000 ? ms : 1, signal),
  }
  const server = await driver.start({
    endpoints: accountRoutes,
    clock,
    config: {
      ...more,
      email: {
        ...testConfig('/nowhere', {}).email,
        host: '127.0.0.1',
        port: mail.port,
        tls: 'off',
        from: 'Test <noreply@test.example>',
        ...email,
      },
    },
  })
  const post: Post = {
    server,
    pass: (ms) => {
      shift += ms
    },
    post: (url, body, token) =>
      server.request('POST', `${V3}${url}`, { body, ...(token === undefined ? {} : { token }) }),
    good: async (url, body, token) => {
      const answer = await post.post(url, body, token)
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    },
    begin: async (purpose, address, parts = {}) => {
      const body = { client_secret: 'sec.ret-1', email: address, send_attempt: 1, ...parts }
      const { sid } = await post.good(`${purpose}/email/requestToken`, body)
      return { sid: sid as string, client_secret: body.client_secret }
    },
    press: async (link) => {
      const { pathname, searchParams } = new URL(link, 'https://test.example')
      return server.request('POST', pathname, { body: searchParams.toString() as never })
    },
    addresses: async (token) => {
      const { threepids } = (await server.request('GET', `${V3}/account/3pid`, { token })).json()
      return (threepids as JsonObject[]).map(
        ({ medium, address }) => `${medium as string} ${address as string}`,
      )
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  return post
}

const stage = (creds: { sid: string; client_secret: string }): JsonObject => ({
  type: 'm.login.email.identity',
  threepid_creds: creds,
})
const byEmail = (address: string, password: string): JsonObject => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.thirdparty', medium: 'email', address },
  password,
})
const errcode = (answer: DispatchResponse): unknown => answer.json()['errcode']

/** Adds an address to somebody's account, by all that is asked for it. */
async function addAddress(post: Post, name: string, token: string, address: string): Promise<void> {
  const count = mail.mails.length
  const creds = await post.begin('/account/3pid', address, { client_secret: name })
  const { link } = await mail.arrived(count + 1)
  assert.equal((await post.press(link!)).status, 200)
  const user = { type: 'm.id.user', user: name }
  const auth = { type: 'm.login.password', identifier: user, password: TEST_PASSWORD }
  await post.good('/account/3pid/add', { ...creds, auth }, token)
}

for (const driver of await findServerDrivers()) {
  describe(`addresses of people on ${driver.name}`, { skip: driver.skip }, () => {
    it('are confirmed while an account is made, and are good to log in with', async () => {
      await using post = await openPost(driver, { required_for_registration: true })
      const account = { username: 'alice', password: 'a long password' }
      const { flows } = (await post.post('/register', account)).json()
      assert.deepEqual(flows, [{ stages: ['m.login.email.identity'] }])
      const creds = await post.begin('/register', 'Alice@Example.ORG')
      const { to, link, headers, text } = await mail.arrived(1)
      assert.deepEqual(to, ['alice@example.org'])
      assert.match(headers, /^From: Test <noreply@test\.example>$/m)
      assert.match(headers, /^Auto-Submitted: auto-generated$/m)
      assert.match(text, /making an account on the Matrix server test\.example/)
      const early = await post.post('/register', { ...account, auth: stage(creds) })
      assert.deepEqual([early.status, errcode(early)], [401, 'M_UNAUTHORIZED'])
      // What looks through mail opens the link; only the button confirms.
      assert.equal((await post.server.request('GET', link!)).status, 200)
      assert.equal((await post.post('/register', { ...account, auth: stage(creds) })).status, 401)
      assert.equal((await post.press(link!)).status, 200)
      assert.equal((await post.press(link!)).status, 403)
      const wrong = { ...creds, client_secret: 'another' }
      assert.equal((await post.post('/register', { ...account, auth: stage(wrong) })).status, 401)
      const made = await post.good('/register', { ...account, auth: stage(creds) })
      assert.deepEqual(await post.addresses(made['access_token'] as string), ['email alice@example.org'])
      const login = await post.good('/login', byEmail('ALICE@example.org', 'a long password'))
      assert.equal(login['user_id'], '@alice:test.example')
      const refusals = [
        await post.post('/login', byEmail('alice@example.org', 'a wrong password')),
        await post.post('/login', byEmail('nobody@example.org', 'a long password')),
        await post.post('/login', byEmail('no address', 'a long password')),
      ]
      for (const refusal of refusals) assert.deepEqual(refusal.json(), refusals[0]!.json())
      // Once: the session is used up.
      const again = await post.post('/register', {
        username: 'bob',
        password: 'a long password',
        auth: stage(creds),
      })
      assert.equal(again.status, 401)
    })

    it('let people set a new password, and nobody learns whose they are', async () => {
      await using post = await openPost(driver)
      const { token } = await post.server.register('alice')
      await addAddress(post, 'alice', token, 'alice@example.org')
      const body = { new_password: 'another long one' }
      const known = await post.begin('/account/password', 'alice@example.org', { client_secret: 'k' })
      const unknown = await post.begin('/account/password', 'nobody@example.org', { client_secret: 'u' })
      assert.equal(known.sid.length, unknown.sid.length)
      const { link, to, text } = await mail.arrived(2)
      assert.deepEqual(to, ['alice@example.org'])
      assert.match(text, /new password for @alice:test\.example/)
      const before = [known, unknown].map((creds) =>
        post.post('/account/password', { ...body, auth: stage(creds) }),
      )
      const [first, second] = (await Promise.all(before)).map((answer) => answer.json())
      assert.deepEqual({ ...first, session: '' }, { ...second, session: '' })
      assert.equal((await post.press(link!)).status, 200)
      await post.good('/account/password', { ...body, auth: stage(known) })
      assert.equal(
        errcode(await post.server.request('GET', `${V3}/account/whoami`, { token })),
        'M_UNKNOWN_TOKEN',
      )
      assert.equal((await post.post('/login', byEmail('alice@example.org', TEST_PASSWORD))).status, 403)
      await post.good('/login', byEmail('alice@example.org', 'another long one'))
      const again = await post.post('/account/password', {
        new_password: 'third long one',
        auth: stage(known),
      })
      assert.equal(again.status, 401)
      assert.equal(mail.mails.length, 2)
    })

    it('are added with the password, belong to one account, and can be removed', async () => {
      await using post = await openPost(driver)
      const alice = await post.server.register('alice')
      const bob = await post.server.register('bob')
      await addAddress(post, 'alice', alice.token, 'shared@example.org')
      // Whoever asks for a mail to it is answered as for any other; the mail tells its owner.
      const creds = await post.begin('/register', 'shared@example.org')
      assert.match((await mail.arrived(2)).text, /belongs to one already: @alice:test\.example/)
      assert.equal(mail.mails[1]!.link, undefined)
      assert.equal(
        (await post.post('/register', { username: 'c', password: 'long enough', auth: stage(creds) })).status,
        401,
      )

      const unconfirmed = await post.begin('/account/3pid', 'bob@example.org')
      const { link } = await mail.arrived(3)
      const add = (who: string, parts: JsonObject, token: string): Promise<DispatchResponse> =>
        post.post(
          '/account/3pid/add',
          {
            ...parts,
            auth: {
              type: 'm.login.password',
              identifier: { type: 'm.id.user', user: who },
              password: TEST_PASSWORD,
            },
          },
          token,
        )
      assert.equal(errcode(await add('bob', unconfirmed, bob.token)), 'M_THREEPID_AUTH_FAILED')
      assert.equal((await post.post('/account/3pid/add', unconfirmed, bob.token)).status, 401)
      await post.press(link!)
      // Two who show the same confirmation at the same time: one gets the address.
      const both = await Promise.all([
        add('bob', unconfirmed, bob.token),
        add('alice', unconfirmed, alice.token),
      ])
      assert.deepEqual(
        both.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 400],
      )

      await post.good('/account/3pid/delete', { medium: 'email', address: 'Shared@example.org' }, bob.token)
      assert.ok((await post.addresses(alice.token)).includes('email shared@example.org'), 'not by others')
      const deleted = { medium: 'email', address: 'Shared@example.org' }
      const answer = await post.good('/account/3pid/delete', deleted, alice.token)
      assert.deepEqual(answer, { id_server_unbind_result: 'no-support' })
      assert.ok(!(await post.addresses(alice.token)).includes('email shared@example.org'))
    })

    it('go with the account', async () => {
      await using post = await openPost(driver)
      const { token } = await post.server.register('alice')
      await addAddress(post, 'alice', token, 'alice@example.org')
      const auth = {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'alice' },
        password: TEST_PASSWORD,
      }
      await post.good('/account/deactivate', { auth }, token)
      assert.deepEqual(await post.server.hs.db.query('SELECT 1 AS one FROM user_threepids', []), [])
    })

    it('get one mail an attempt, a new link with each, and not too many', async () => {
      await using post = await openPost(driver)
      const first = await post.begin('/register', 'a@example.org')
      const { link } = await mail.arrived(1)
      assert.deepEqual(await post.begin('/register', 'a@example.org'), first)
      assert.deepEqual(await post.begin('/register', 'a@example.org', { send_attempt: 2 }), first)
      const second = await mail.arrived(2)
      assert.equal(mail.mails.length, 2)
      assert.equal((await post.press(link!)).status, 403)
      assert.equal((await post.press(second.link!)).status, 200)
      for (const secret of ['x', 'y', 'z'])
        await post.begin('/account/3pid', 'a@example.org', { client_secret: secret })
      const body = { client_secret: 'q', email: 'A@example.org', send_attempt: 1 }
      for (const purpose of ['/register', '/account/3pid', '/account/password'])
        assert.equal(errcode(await post.post(`${purpose}/email/requestToken`, body)), 'M_LIMIT_EXCEEDED')
      post.pass(400_000)
      await post.good('/register/email/requestToken', body)
    })

    it('are confirmed within two hours', async () => {
      await using post = await openPost(driver)
      await post.begin('/register', 'late@example.org')
      const { link } = await mail.arrived(1)
      post.pass(2 * HOUR + 1)
      assert.equal((await post.server.request('GET', link!)).status, 403)
      assert.equal((await post.press(link!)).status, 403)
    })

    it('are refused when they are none', async () => {
      await using post = await openPost(driver)
      const bad = [
        '',
        'a',
        'a@',
        '@b.c',
        'a b@c.de',
        'a@b.c, d@e.f',
        '<a@b.c>',
        '"a\r\nBcc: x@y.z"@b.c',
        'a@b.c\nx',
        `${'x'.repeat(250)}@b.c`,
      ]
      for (const email of bad) {
        const body = { client_secret: 's', email, send_attempt: 1 }
        assert.equal(errcode(await post.post('/register/email/requestToken', body)), 'M_INVALID_PARAM', email)
      }
      for (const secret of ['', 'a b', 'x'.repeat(256)]) {
        const body = { client_secret: secret, email: 'a@b.c', send_attempt: 1 }
        assert.equal((await post.post('/register/email/requestToken', body)).status, 400)
      }
      assert.equal(mail.mails.length, 0)
    })

    it('are asked for nowhere without a mail server, and numbers of telephones without a hook', async () => {
      await using server = await driver.start({ endpoints: accountRoutes })
      const post = (url: string, body: JsonObject): Promise<DispatchResponse> =>
        server.request('POST', `${V3}${url}`, { body })
      const body = { client_secret: 's', email: 'a@b.c', country: 'GB', phone_number: '1', send_attempt: 1 }
      const answers = ['/account/3pid', '/register', '/account/password'].flatMap((where) =>
        ['email', 'msisdn'].map((medium) => post(`${where}/${medium}/requestToken`, body)),
      )
      const none = ['M_THREEPID_MEDIUM_NOT_SUPPORTED', 'M_THREEPID_DENIED', 'M_THREEPID_DENIED']
      assert.deepEqual(
        (await Promise.all(answers)).map(errcode),
        none.flatMap((one) => [one, one]),
      )
      assert.equal(
        errcode(await post('/account/password', { new_password: 'long enough' })),
        'M_MISSING_TOKEN',
      )
      const { token } = await server.register('alice')
      const { capabilities } = (await server.request('GET', `${V3}/capabilities`, { token })).json()
      assert.deepEqual((capabilities as JsonObject)['m.3pid_changes'], { enabled: false })
    })
  })
}

describe('mail', () => {
  it('is tried again while the mail server refuses it', async () => {
    const [driver] = await findServerDrivers()
    await using post = await openPost(driver!, {}, { log: testConfig('/nowhere', {}).log })
    mail.refuse(2)
    await post.begin('/register', 'a@example.org')
    assert.deepEqual((await mail.arrived(1)).to, ['a@example.org'])
  })

  it('goes over TLS to whoever has the certificate, with the login, and otherwise not at all', async () => {
    const authority = makeAuthority()
    const { key, certificate: cert } = authority.issue('127.0.0.1')
    const folder = await mkdtemp(path.join(tmpdir(), 'email-'))
    await using secure = await startMailServer({ key, cert })
    try {
      const file = path.join(folder, 'ca.pem')
      await writeFile(file, authority.certificate)
      const { federation, log } = testConfig(folder, {})
      const [driver] = await findServerDrivers()
      const options = { port: secure.port, tls: 'starttls', user: 'causeway', password: 'secret' } as const
      {
        await using post = await openPost(driver!, options, {
          federation: { ...federation, ca_certificates: [file] },
        })
        await post.begin('/register', 'a@example.org')
        const { secure: isSecure, user } = await secure.arrived(1)
        assert.deepEqual([isSecure, user], [true, 'causeway'])
      }
      // Without the authority, and from a server that has no TLS: the end waits until the tries are over.
      for (const port of [secure.port, mail.port]) {
        await using post = await openPost(driver!, { ...options, port }, { federation, log })
        await post.begin('/register', 'a@example.org')
      }
      assert.deepEqual([secure.mails.length, mail.mails.length], [1, 0])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('leads to a page for keyboards, telephones and screen readers, without a script', async () => {
    const [driver] = await findServerDrivers()
    await using post = await openPost(driver!)
    for (const [count, purpose] of ['/register', '/account/3pid'].entries()) {
      await post.begin(purpose, 'a@example.org')
      const { link } = await mail.arrived(count + 1)
      const page = await post.server.request('GET', link!)
      const found: DefaultTreeAdapterTypes.Element[] = []
      const walk = (node: DefaultTreeAdapterTypes.Node): void => {
        if ('tagName' in node) found.push(node)
        if ('childNodes' in node) node.childNodes.forEach(walk)
      }
      walk(parse(Buffer.from(page.bytes).toString()))
      const tags = found.map(({ tagName }) => tagName)
      for (const tag of ['h1', 'main', 'form', 'button'])
        assert.equal(tags.filter((one) => one === tag).length, 1)
      assert.ok(!tags.includes('script'))
      assert.deepEqual(found[0]!.attrs, [{ name: 'lang', value: 'en' }])
      assert.ok(
        found.some(
          ({ tagName, attrs }) => tagName === 'meta' && attrs.some(({ value }) => value === 'viewport'),
        ),
      )
      assert.match(page.headers['content-security-policy']!, /default-src 'none'/)
      assert.equal(page.headers['referrer-policy'], 'no-referrer')
    }
    for (const query of ['', '?sid=a', '?sid=a&token=b', `?sid=${'x'.repeat(5_000)}&token=y`])
      assert.equal((await post.server.request('GET', `/_causeway/email${query}`)).status, 403)
  })
})
