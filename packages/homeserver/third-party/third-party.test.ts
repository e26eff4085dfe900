import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import {
  startTestAppservice,
  testRegistration,
  type AppserviceAnswer,
  type ReceivedRequest,
  type TestAppservice,
} from '../appservice/test-appservice.ts'
import { clientRoutes } from '../client/routes.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'

const IRC = {
  user_fields: ['network', 'nickname'],
  location_fields: ['network', 'channel'],
  icon: 'mxc://x/y',
  field_types: { network: { regexp: '.+', placeholder: 'libera' } },
  instances: [{ desc: 'Libera', network_id: 'libera', fields: { network: 'libera' } }],
}
const OFTC = { desc: 'OFTC', network_id: 'oftc', fields: {}, icon: 'mxc://x/oftc' }
const json = (value: unknown): AppserviceAnswer => ({ status: 200, body: JSON.stringify(value) })
const NONE: AppserviceAnswer = { status: 404, body: '{"errcode":"M_NOT_FOUND"}' }

/** What a client waits for a service. */
const PATIENCE_MS = 5_000

/** Patience that does not end by itself, be the machine as slow as it may: once wanted, with the last but one answer. */
function createPatience() {
  const waiting = new Set<() => void>()
  return {
    endsEarly: false,
    begin(end: () => void) {
      waiting.add(end)
      const cancel = (): void => {
        waiting.delete(end)
        if (this.endsEarly && waiting.size === 1) for (const last of waiting) last()
      }
      return { cancel }
    },
  }
}

const [driver] = await findServerDrivers()

describe('other networks, by what application services know', () => {
  let server: TestServer
  let one: TestAppservice
  let two: TestAppservice
  let alice: TestLogin
  let folder: string
  const patience = createPatience()
  /** Seconds that have passed for what is cached. */
  let shift = 0
  before(async () => {
    one = await startTestAppservice()
    two = await startTestAppservice()
    const clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() + shift * 1000,
      setTimeout: (run: () => void, ms: number, options?: { unref?: boolean }) =>
        ms === PATIENCE_MS && options === undefined
          ? patience.begin(run)
          : systemClock.setTimeout(run, ms, options),
    }
    folder = await mkdtemp(path.join(tmpdir(), 'third-party-'))
    const registrations = [
      testRegistration('one', one.url, { protocols: ['irc', 'gopher'] }),
      testRegistration('two', two.url, { protocols: ['irc'] }),
      // Serves nothing of the kind, and is not asked.
      testRegistration('none', null),
    ]
    const files = registrations.map(({ id }) => path.join(folder, `${id}.yaml`))
    await Promise.all(files.map((file, at) => writeFile(file, JSON.stringify(registrations[at]))))
    server = await driver!.start({ endpoints: clientRoutes, clock, config: { appservices: files } })
    alice = await server.register('alice')
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await one[Symbol.asyncDispose]()
    await two[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  beforeEach(() => {
    shift += 3_600
    patience.endsEarly = false
    for (const service of [one, two]) {
      service.requests.length = 0
      service.answer = () => NONE
    }
  })

  const ask = async (path: string) => {
    const answer = await server.request('GET', `/_matrix/client/v3/thirdparty/${path}`, {
      token: alice.token,
    })
    const body = answer.json() as unknown
    const errcode = (body as { errcode?: string }).errcode
    return { status: answer.status, body: errcode ?? body }
  }
  const asked = (service: TestAppservice): string[] =>
    service.requests.map(({ url }) => url.replace('/_matrix/app/v1/thirdparty/', ''))
  const answers = (service: TestAppservice, byPath: Record<string, AppserviceAnswer>): void => {
    service.answer = ({ url }: ReceivedRequest) =>
      byPath[url.replace('/_matrix/app/v1/thirdparty/', '')] ?? NONE
  }

  it('describes protocols as one, with an id for each network, and remembers that', async () => {
    answers(one, { 'protocol/irc': json({ ...IRC, more: 1 }) })
    answers(two, {
      'protocol/irc': json({ ...IRC, icon: 'mxc://other/one', instances: [OFTC, 'nonsense', {}] }),
    })
    const described = {
      ...IRC,
      instances: [
        { ...IRC.instances[0], instance_id: 'irc|libera' },
        { ...OFTC, instance_id: 'irc|oftc' },
      ],
    }
    assert.deepEqual(await ask('protocols'), { status: 200, body: { irc: described } })
    assert.deepEqual(await ask('protocol/irc'), { status: 200, body: described })
    assert.deepEqual(asked(one).toSorted(), ['protocol/gopher', 'protocol/irc'])
    assert.deepEqual(asked(two), ['protocol/irc'])
    assert.equal(one.requests[0]!.authorization, 'Bearer hs-token-of-one-0123456789')
    assert.deepEqual(await ask('protocol/gopher'), { status: 404, body: 'M_NOT_FOUND' })
    assert.deepEqual(await ask('protocol/telex'), { status: 404, body: 'M_NOT_FOUND' })
    // A service that is away is taken to be as it was.
    shift += 3_600
    one.answer = () => 'hang up'
    assert.deepEqual((await ask('protocol/irc')).body, described)
  })

  it('finds rooms and users both ways, leaving out what is no answer', async () => {
    const room = { alias: '#a:test.example', protocol: 'irc', fields: { channel: '#a' } }
    const user = { userid: '@_one_bob:test.example', protocol: 'irc', fields: { nickname: 'bob' } }
    answers(one, {
      'location/irc?channel=%23a&network=libera': json([room, { ...room, alias: 'no alias' }, 7]),
      'user/irc?nickname=bob': json([user, { ...user, userid: 'bob' }, { userid: user.userid }]),
      'location?alias=%23a%3Atest.example': json([room]),
      'user?userid=%40_one_bob%3Atest.example': json([user]),
    })
    answers(two, { 'location/irc?channel=%23a&network=libera': json({ not: 'a list' }) })
    const found = (what: unknown) => ({ status: 200, body: [what] })
    assert.deepEqual(await ask('location/irc?network=libera&channel=%23a'), found(room))
    assert.deepEqual(await ask('location/irc?channel=%23a&network=libera'), found(room))
    assert.equal(asked(one).length, 1)
    assert.deepEqual(await ask('user/irc?nickname=bob&user_id='), found(user))
    assert.deepEqual(await ask('location?alias=%23a:test.example'), found(room))
    assert.deepEqual(await ask('user?userid=@_one_bob:test.example'), found(user))
    assert.deepEqual(await ask('user/irc?nickname=eve'), { status: 404, body: 'M_NOT_FOUND' })
    assert.equal((await ask('user?userid=bob')).body, 'M_INVALID_PARAM')
    assert.equal((await ask('location/irc?channel=1&channel=2')).body, 'M_INVALID_PARAM')
    assert.equal((await ask(`location/irc?channel=${'x'.repeat(501)}`)).body, 'M_INVALID_PARAM')
  })

  it('answers with what came in time, and says so when what might be known did not come', async () => {
    const user = { userid: '@_two_bob:test.example', protocol: 'irc', fields: {} }
    const { promise: released, resolve: release } = Promise.withResolvers<AppserviceAnswer>()
    one.answer = () => released
    patience.endsEarly = true
    two.answer = () => json([user])
    assert.deepEqual(await ask('user/irc?nickname=slow'), { status: 200, body: [user] })
    two.answer = () => NONE
    assert.deepEqual(await ask('user/irc?nickname=gone'), { status: 502, body: 'M_CONNECTION_FAILED' })
    one.answer = () => json([user])
    assert.equal((await ask('user/irc?nickname=gone')).status, 502)
    shift += 60
    patience.endsEarly = false
    assert.equal((await ask('user/irc?nickname=gone')).status, 200)
    release(NONE)
  })
})
