import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { forgetAddressSessions } from '../addresses/forget-sessions.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { startSmsHook, type TestSmsHook } from '../phone/test-sms-hook.ts'
import {
  findServerDrivers,
  TEST_PASSWORD,
  testConfig,
  type TestLogin,
  type TestServer,
} from '../test-server.ts'
import { accountRoutes } from './account-routes.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const V3 = '/_matrix/client/v3'
const SUBMIT = '/_causeway/phone'

type Credentials = { readonly sid: string; readonly client_secret: string }

const errcode = (answer: DispatchResponse): unknown => answer.json()['errcode']
const refusal = (answer: DispatchResponse): string => `${answer.status} ${String(errcode(answer))}`
const stage = (creds: Credentials): JsonObject => ({ type: 'm.login.msisdn', threepid_creds: creds })
const byPassword = (user: string): JsonObject => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password: TEST_PASSWORD,
})

let hook: TestSmsHook
let shift = 0
let secrets = 0
let people = 0

/** Numbers that nobody else has in this file: each is sent a few messages only. */
let numbers = 0
function createNumber(): Readonly<Record<'national' | 'international' | 'msisdn', string>> {
  const rest = String(3_450_000 + numbers++)
  return { national: `0151-2 ${rest}`, international: `+49 1512 ${rest}`, msisdn: `491512${rest}` }
}

const clock = {
  ...systemClock,
  now: () => systemClock.now() + shift,
  monotonic: () => systemClock.monotonic() + shift,
  // Pauses between tries cost a test nothing.
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms === 5_000 ? ms : 1, signal),
}

before(async () => {
  hook = await startSmsHook()
})
beforeEach(() => {
  hook.arrived.length = 0
  hook.taken.length = 0
  hook.answer = () => 204
  // Whoever asked for too many may ask again.
  shift += DAY
})
after(() => hook[Symbol.asyncDispose]())

for (const driver of await findServerDrivers()) {
  describe(`telephone numbers of people on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    before(async () => {
      const { sms } = testConfig('/nowhere', {})
      server = await driver.start({
        endpoints: accountRoutes,
        clock,
        config: { sms: { ...sms, url: hook.url, token: 'secret', countries: ['DE', 'US'] } },
      })
    })
    after(() => server[Symbol.asyncDispose]())

    const post = (path: string, body: JsonObject, token?: string): Promise<DispatchResponse> =>
      server.request('POST', path.startsWith('/_') ? path : V3 + path, {
        body,
        ...(token === undefined ? {} : { token }),
      })
    const good = async (path: string, body: JsonObject, token?: string): Promise<JsonObject> => {
      const answer = await post(path, body, token)
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    }
    /** A request for a message as clients make it. */
    const asking = (national: string, more: JsonObject = {}): JsonObject => ({
      client_secret: `secret${++secrets}`,
      country: 'DE',
      phone_number: national,
      send_attempt: 1,
      ...more,
    })
    const begin = async (purpose: string, body: JsonObject, token?: string): Promise<Credentials> => {
      const { sid } = await good(`${purpose}/msisdn/requestToken`, body, token)
      return { sid: sid as string, client_secret: body['client_secret'] as string }
    }
    const submit = (creds: Credentials, code: string): Promise<DispatchResponse> =>
      post(SUBMIT, { ...creds, token: code })
    const register = (): Promise<TestLogin> => server.register(`person${++people}`)
    const nameOf = ({ userId }: TestLogin): string => userId.slice(1).split(':')[0]!
    const add = (who: TestLogin, creds: Credentials): Promise<DispatchResponse> =>
      post('/account/3pid/add', { ...creds, auth: byPassword(nameOf(who)) }, who.token)
    const addressesOf = async ({ token }: { readonly token: string }): Promise<string[]> => {
      const { threepids } = (await server.request('GET', `${V3}/account/3pid`, { token })).json()
      return (threepids as { medium: string; address: string }[]).map((one) => `${one.medium} ${one.address}`)
    }
    /** Adds a number to somebody's account, by all that is asked for it. */
    const addNumber = async (who: TestLogin, national: string): Promise<void> => {
      const count = hook.taken.length
      const creds = await begin('/account/3pid', asking(national), who.token)
      const { code } = await hook.took(count + 1)
      assert.equal((await submit(creds, code!)).status, 200)
      assert.equal((await add(who, creds)).status, 200)
    }

    it('are confirmed by a code while an account is made, and are good to log in with', async () => {
      const { national, international, msisdn } = createNumber()
      const account = { username: `person${++people}`, password: 'a long password' }
      const { flows } = (await post('/register', account)).json()
      assert.deepEqual(flows, [{ stages: ['m.login.dummy'] }, { stages: ['m.login.msisdn'] }])
      const body = asking(national)
      const answer = await good('/register/msisdn/requestToken', body)
      const { sid, ...shown } = answer
      assert.deepEqual(shown, {
        success: true,
        msisdn,
        intl_fmt: international,
        submit_url: `https://test.example${SUBMIT}`,
      })
      const [request] = hook.arrived
      assert.deepEqual(
        [request!.method, request!.path, request!.headers['authorization'], request!.headers['content-type']],
        ['POST', '/sms?for=test', 'Bearer secret', 'application/json'],
      )
      const { id, text, code, ...rest } = request!.message
      assert.deepEqual(rest, { to: `+${msisdn}`, purpose: 'register' })
      assert.match(code!, /^\d{6}$/)
      assert.match(id, /^\w{16}$/)
      assert.match(
        text,
        new RegExp(`^${code} is your code to make an account on the Matrix server test\\.example\\.`),
      )

      const creds = { sid: sid as string, client_secret: body['client_secret'] as string }
      const early = await post('/register', { ...account, auth: stage(creds) })
      assert.equal(refusal(early), '401 M_UNAUTHORIZED')
      const wrong = await submit(creds, code === '000000' ? '000001' : '000000')
      assert.deepEqual([refusal(wrong), wrong.json()['success']], ['400 M_TOKEN_INCORRECT', false])
      for (const not of [
        { ...creds, client_secret: 'another' },
        { ...creds, sid: 'another' },
      ])
        assert.equal(refusal(await submit(not, code!)), '400 M_SESSION_EXPIRED')
      assert.equal((await post('/register', { ...account, auth: stage(creds) })).status, 401)
      assert.deepEqual((await submit(creds, `${code!.slice(0, 3)} ${code!.slice(3)}`)).json(), {
        success: true,
      })
      assert.equal((await submit(creds, code!)).status, 200, 'an answer that was lost is given again')
      const mail = { type: 'm.login.email.identity', threepid_creds: creds }
      assert.equal(errcode(await post('/register', { ...account, auth: mail })), 'M_UNRECOGNIZED')
      const made = await good('/register', { ...account, auth: stage(creds) })
      assert.deepEqual(await addressesOf({ token: made['access_token'] as string }), [`msisdn ${msisdn}`])
      // Once: the session is used up.
      const again = { username: `person${++people}`, password: 'a long password', auth: stage(creds) }
      assert.equal((await post('/register', again)).status, 401)

      const logIn = (identifier: JsonObject, password = 'a long password'): Promise<DispatchResponse> =>
        post('/login', { type: 'm.login.password', identifier, password })
      for (const identifier of [
        { type: 'm.id.phone', country: 'DE', phone: national },
        { type: 'm.id.phone', country: 'US', number: `+${msisdn}` },
        { type: 'm.id.thirdparty', medium: 'msisdn', address: msisdn },
      ]) {
        const login = await logIn(identifier)
        assert.equal(login.json()['user_id'], made['user_id'], JSON.stringify(login.json()))
      }
      const refusals = [
        await logIn({ type: 'm.id.phone', country: 'DE', phone: national }, 'a wrong password'),
        await logIn({ type: 'm.id.phone', country: 'DE', phone: createNumber().national }),
        await logIn({ type: 'm.id.phone', country: 'DE', phone: 'no number' }),
        await logIn({ type: 'm.id.phone' }),
        await logIn({ type: 'm.id.thirdparty', medium: 'msisdn', address: '5' }),
        await logIn({ type: 'm.id.thirdparty', medium: 'email', address: msisdn }),
      ]
      for (const one of refusals) assert.deepEqual(one.json(), refusals[0]!.json())
      assert.equal(refusal(refusals[0]!), '403 M_FORBIDDEN')
    })

    it('let people set a new password, and nobody learns whose they are', async () => {
      const [known, unknown] = [createNumber(), createNumber()]
      const alice = await register()
      await addNumber(alice, known.national)
      const reset = '/account/password/msisdn/requestToken'
      const [asked, other] = [asking(known.national), asking(unknown.national)]
      const answers = [await good(reset, asked), await good(reset, other)]
      const shapes = answers.map((one) =>
        Object.entries(one).map(([key, value]) => [key, (value as string).length]),
      )
      assert.deepEqual(shapes[0], shapes[1])
      const { to, text, code } = await hook.took(2)
      assert.equal(to, `+${known.msisdn}`)
      assert.ok(text.startsWith(`${code} is your code to set a new password for ${alice.userId}.`), text)
      const creds = answers.map((one, at) => ({
        sid: one['sid'] as string,
        client_secret: [asked, other][at]!['client_secret'] as string,
      }))
      const body = { new_password: 'another long one' }
      const before = await Promise.all(
        creds.map((one) => post('/account/password', { ...body, auth: stage(one) })),
      )
      const [first, second] = before.map((one) => ({ ...one.json(), session: '' }))
      assert.deepEqual(first, second)
      assert.deepEqual((first as JsonObject)['flows'], [{ stages: ['m.login.msisdn'] }])
      assert.equal((await submit(creds[0]!, code!)).status, 200)
      await good('/account/password', { ...body, auth: stage(creds[0]!) })
      const identifier = { type: 'm.id.phone', country: 'DE', phone: known.national }
      await good('/login', { type: 'm.login.password', identifier, password: 'another long one' })
      const { token } = alice
      assert.equal((await server.request('GET', `${V3}/account/whoami`, { token })).status, 401)
      assert.equal((await post('/account/password', { ...body, auth: stage(creds[0]!) })).status, 401)
      // A hook that fails does not tell either.
      hook.answer = () => 500
      shift += DAY
      await good(reset, asking(known.national))
      await good(reset, asking(unknown.national))
      await hook.saw(5)
      assert.deepEqual(new Set(hook.arrived.map(({ message }) => message.to)), new Set([`+${known.msisdn}`]))
    })

    it('are added with the password, belong to one account, and can be removed', async () => {
      const { national, msisdn } = createNumber()
      const [alice, bob] = [await register(), await register()]
      await addNumber(alice, national)
      assert.deepEqual(await addressesOf(alice), [`msisdn ${msisdn}`])
      // Whoever asks for a message to it is answered as for any other; the message tells its owner.
      const taken = await begin('/account/3pid', asking(national), bob.token)
      const told = await hook.took(2)
      assert.ok(told.text.startsWith(`This number belongs to ${alice.userId} `), told.text)
      assert.equal(told.code, undefined)
      assert.equal(refusal(await add(bob, taken)), '400 M_THREEPID_AUTH_FAILED')

      const other = createNumber()
      const creds = await begin('/account/3pid', asking(other.national), bob.token)
      const { text, code } = await hook.took(3)
      assert.ok(text.startsWith(`${code} is your code to add this number to ${bob.userId}.`), text)
      assert.equal((await submit(creds, code!)).status, 200)
      assert.equal(refusal(await add(alice, creds)), '400 M_THREEPID_AUTH_FAILED', 'bob began it')
      assert.equal((await add(bob, creds)).status, 200)

      const removed = { medium: 'msisdn', address: `+${msisdn}` }
      await good('/account/3pid/delete', removed, bob.token)
      assert.deepEqual(await addressesOf(alice), [`msisdn ${msisdn}`], 'not by others')
      await good('/account/3pid/delete', removed, alice.token)
      assert.deepEqual(await addressesOf(alice), [])
    })

    it('belong to whoever is the first of several that proved the same', async () => {
      const { national } = createNumber()
      const proven: Credentials[] = []
      for (const at of [1, 2]) {
        const creds = await begin('/register', asking(national))
        assert.equal((await submit(creds, (await hook.took(at)).code!)).status, 200)
        proven.push(creds)
      }
      const registering = (creds: Credentials): Promise<DispatchResponse> =>
        post('/register', { username: `person${++people}`, password: 'a long password', auth: stage(creds) })
      const answers = await Promise.all(proven.map(registering))
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 401]))
      assert.equal(refusal(answers.find(({ status }) => status !== 200)!), '401 M_UNAUTHORIZED')
    })

    it('go with the account, and what was begun for it and forgotten goes too', async () => {
      const alice = await register()
      await addNumber(alice, createNumber().national)
      await begin('/account/3pid', asking(createNumber().national), alice.token)
      await begin('/register', asking(createNumber().national))
      const count = async (table: string, where: string): Promise<number> =>
        (await server.hs.db.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`, []))[0]!
          .n
      const theirs = `user_id = '${alice.userId}'`
      assert.deepEqual(
        [await count('user_threepids', theirs), await count('address_sessions', theirs)],
        [1, 1],
      )
      await good('/account/deactivate', { auth: byPassword(nameOf(alice)) }, alice.token)
      assert.deepEqual(
        [await count('user_threepids', theirs), await count('address_sessions', theirs)],
        [0, 0],
      )
      assert.notEqual(await count('address_sessions', "medium = 'msisdn'"), 0)
      shift += HOUR
      await forgetAddressSessions(server.hs).run()
      assert.equal(await count('address_sessions', "medium = 'msisdn'"), 0)
    })

    it('get one message an attempt, a new code with each, and not too many', async () => {
      const { national, msisdn } = createNumber()
      const body = asking(national)
      const first = await begin('/register', body)
      // As another client writes the same number: it is the same request.
      const same = { ...body, country: 'US', phone_number: `+${msisdn}` }
      assert.deepEqual(await begin('/register', same), first)
      assert.equal(hook.taken.length, 1)
      assert.deepEqual(await begin('/register', { ...body, send_attempt: 2 }), first)
      const [one, two] = hook.taken
      assert.notEqual(one!.id, two!.id)
      if (one!.code !== two!.code)
        assert.equal(refusal(await submit(first, one!.code!)), '400 M_TOKEN_INCORRECT')
      assert.equal((await submit(first, two!.code!)).status, 200)
      await begin('/account/3pid', asking(national))
      for (const purpose of ['/register', '/account/3pid', '/account/password'])
        assert.equal(
          refusal(await post(`${purpose}/msisdn/requestToken`, asking(national))),
          '429 M_LIMIT_EXCEEDED',
        )
      assert.equal(hook.taken.length, 3)
      shift += HOUR + 60_000
      await begin('/register', asking(national))
      assert.equal(hook.taken.length, 4)
    })

    it('are not proven by guessing, nor late', async () => {
      const creds = await begin('/register', asking(createNumber().national))
      const { code } = await hook.took(1)
      const wrong = Array.from({ length: 12 }, (_, at) =>
        String((Number(code) + at + 1) % 1_000_000).padStart(6, '0'),
      )
      const answers = await Promise.all(wrong.map((one) => submit(creds, one)))
      const counts = Map.groupBy(answers.map(refusal), (one) => one)
      assert.deepEqual(
        [counts.get('400 M_TOKEN_INCORRECT')?.length, counts.get('400 M_SESSION_EXPIRED')?.length],
        [5, 7],
      )
      assert.equal(refusal(await submit(creds, code!)), '400 M_SESSION_EXPIRED')

      const late = await begin('/register', asking(createNumber().national))
      const { code: second } = await hook.took(2)
      shift += 30 * 60_000 + 1
      assert.equal(refusal(await submit(late, second!)), '400 M_SESSION_EXPIRED')
    })

    it('are refused where nothing is sent to them', async () => {
      const ask = async (country: string, number: string): Promise<string> =>
        refusal(await post('/register/msisdn/requestToken', asking(number, { country })))
      for (const none of [
        '',
        'alice',
        '0151',
        '0151 23456789 ext. 5',
        '+49 151 1 or +49 151 2',
        '1'.repeat(255),
      ])
        assert.equal(await ask('DE', none), '400 M_INVALID_PARAM', none)
      assert.equal(await ask('nowhere', '0151 23456789'), '400 M_INVALID_PARAM')
      // A landline, a number that costs who calls it, another country, a satellite.
      for (const number of ['030 123456', '0900 1234567', '+43 664 1234567', '+881 612345678'])
        assert.equal(await ask('DE', number), '403 M_THREEPID_DENIED', number)
      const body = asking('0151 23456789')
      assert.equal(
        (await post('/register/msisdn/requestToken', { ...body, client_secret: 'a b' })).status,
        400,
      )
      assert.equal(hook.arrived.length, 0)
    })

    it('are sent a message again where the hook could not take it, and people are told when none left', async () => {
      const answers = (...list: (number | 'hang up')[]) => {
        hook.arrived.length = 0
        hook.answer = () => list.shift() ?? 204
      }
      const body = asking(createNumber().national)
      answers(503, 'hang up')
      await begin('/register', body)
      const sent = hook.arrived.map(({ message }) => message)
      assert.equal(sent.length, 3)
      assert.deepEqual(sent[1], sent[0])
      assert.deepEqual(sent[2], sent[0])

      const next = asking(createNumber().national)
      for (const [status, expected, tries] of [
        [500, '400 M_SEND_ERROR', 3],
        [401, '400 M_SEND_ERROR', 1],
        [302, '400 M_SEND_ERROR', 1],
        [422, '403 M_THREEPID_DENIED', 1],
      ] as const) {
        shift += DAY
        answers(status, status, status)
        assert.equal(refusal(await post('/register/msisdn/requestToken', next)), expected)
        assert.equal(hook.arrived.length, tries, String(status))
      }
      // The client may ask with the same attempt again: no message left for it.
      answers()
      const creds = await begin('/register', next)
      assert.equal((await submit(creds, hook.arrived[0]!.message.code!)).status, 200)
    })

    it('may be changed: a client is told', async () => {
      const { token } = await register()
      const { capabilities } = (await server.request('GET', `${V3}/capabilities`, { token })).json()
      assert.deepEqual((capabilities as JsonObject)['m.3pid_changes'], { enabled: true })
    })

    it('are added by matrix-js-sdk', async () => {
      const { createClient } = await import('matrix-js-sdk')
      const { logger } = await import('matrix-js-sdk/lib/logger.js')
      ;(logger as unknown as { setLevel(level: string): void }).setLevel('silent')
      const alice = await register()
      const fetchFn: typeof fetch = async (input, init) => {
        const { pathname, search } = new URL(input instanceof Request ? input.url : input)
        const token = new Headers(init?.headers).get('authorization')?.replace(/^Bearer /, '')
        const answer = await server.request(init?.method ?? 'GET', pathname + search, {
          ...(token === undefined ? {} : { token }),
          ...(typeof init?.body === 'string' ? { body: JSON.parse(init.body) as JsonObject } : {}),
        })
        return new Response(JSON.stringify(answer.json()), {
          status: answer.status,
          headers: { 'content-type': 'application/json' },
        })
      }
      const client = createClient({
        baseUrl: 'https://test.example',
        userId: alice.userId,
        deviceId: alice.deviceId,
        accessToken: alice.token,
        fetchFn,
      })
      const { national, msisdn } = createNumber()
      const secret = client.generateClientSecret()
      const asked = await client.requestAdd3pidMsisdnToken('DE', national, secret, 1)
      assert.equal(asked.msisdn, msisdn)
      const { code } = await hook.took(1)
      assert.deepEqual(await client.submitMsisdnTokenOtherUrl(asked.submit_url!, asked.sid, secret, code!), {
        success: true,
      })
      const auth = byPassword(nameOf(alice)) as { type: string }
      await client.addThreePidOnly({ sid: asked.sid, client_secret: secret, auth })
      const { threepids } = await client.getThreePids()
      assert.deepEqual(
        threepids.map(({ medium, address }) => [medium, address]),
        [['msisdn', msisdn]],
      )
    })
  })
}
