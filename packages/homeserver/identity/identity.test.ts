import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { listIdentityBindings } from '@causeway/store/tables/identity-bindings.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { clientRoutes } from '../client/routes.ts'
import type { HomeserverConfig } from '../config.ts'
import { sha256 } from '../crypto/sha256.ts'
import { verifySignature } from '../crypto/verify.ts'
import { findIdentityConflicts } from '../identity-options.ts'
import { ok } from '../test-call.ts'
import {
  findServerDrivers,
  TEST_PASSWORD,
  testConfig,
  type ServerDriver,
  type TestLogin,
  type TestServer,
} from '../test-server.ts'
import { startIdentityServer, type IdentityAnswer, type TestIdentityServer } from './test-identity-server.ts'

const V3 = '/_matrix/client/v3'
const KEY = 'A'.repeat(43)
const TIMEOUT_MS = 15_000
const authority = makeAuthority()
let folder: string
let identity: TestIdentityServer

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'identity-'))
  await writeFile(path.join(folder, 'authority.pem'), authority.certificate)
  identity = await startIdentityServer(authority)
})
after(async () => {
  await identity[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

interface Scene extends AsyncDisposable {
  readonly server: TestServer
  readonly alice: TestLogin
  /** From now on an identity server may take so long. */
  patience: number
  ask(login: TestLogin, path: string, body: JsonObject): Promise<{ status: number; json: JsonObject }>
  makeRoom(more?: JsonObject): Promise<string>
  pending(roomId: string): Promise<JsonObject[]>
}

async function open(
  driver: ServerDriver,
  federation: Partial<HomeserverConfig['federation']> = {},
): Promise<Scene> {
  identity.asked.length = 0
  identity.answers.clear()
  const state = { patience: TIMEOUT_MS }
  const server = await driver.start({
    endpoints: clientRoutes,
    clock: {
      ...systemClock,
      setTimeout: (run, ms, options) =>
        systemClock.setTimeout(run, ms === TIMEOUT_MS ? state.patience : ms, options),
    },
    config: {
      identity_servers: { allowed: ['localhost:*'], suggested: `https://${identity.name}` },
      federation: {
        ...testConfig('/nowhere', {}).federation,
        allow_private_addresses: ['127.0.0.0/8', '::1'],
        ca_certificates: [path.join(folder, 'authority.pem')],
        ...federation,
      },
    },
  })
  const alice = await server.register('alice')
  return {
    server,
    alice,
    get patience() {
      return state.patience
    },
    set patience(ms) {
      state.patience = ms
    },
    async ask({ token }, below, body) {
      const answer = await server.request('POST', V3 + below, { token, body })
      return { status: answer.status, json: answer.json() }
    },
    makeRoom: async (more = {}) =>
      (await ok(server, alice, 'POST', '/createRoom', more))['room_id'] as string,
    async pending(roomId) {
      const all = await ok(server, alice, 'GET', `/rooms/${encodeURIComponent(roomId)}/state`)
      return (all as unknown as JsonObject[]).filter(({ type }) => type === 'm.room.third_party_invite')
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const inviteOf = (more: JsonObject = {}): JsonObject => ({
  id_server: identity.name,
  id_access_token: 'token-there',
  medium: 'email',
  address: 'Bob@Example.org',
  ...more,
})

const inviteUrl = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}/invite`
const details = (...algorithms: string[]): IdentityAnswer => [200, { lookup_pepper: 'salt', algorithms }]
const nobody: IdentityAnswer = [200, { mappings: {} }]
const key = (more: JsonObject = {}): JsonObject => ({
  public_key: KEY,
  key_validity_url: 'https://id.example/isvalid',
  ...more,
})
const stored = (more: JsonObject = {}): IdentityAnswer => [
  200,
  { token: 'abc', display_name: 'b...@e...', public_keys: [key()], ...more },
]

/** An identity server that works, but for what is given. */
function behave(answers: Readonly<Record<string, IdentityAnswer | IdentityAnswer[]>> = {}): void {
  const all = {
    '/hash_details': details('none', 'sha256'),
    '/lookup': nobody,
    '/store-invite': stored(),
    ...answers,
  }
  identity.answers.clear()
  for (const [below, answer] of Object.entries(all)) identity.answers.set(below, answer)
}

const refuses = (status: number, errcode: string): IdentityAnswer => [status, { errcode, error: 'no' }]
const says =
  (text: string): IdentityAnswer =>
  (response) =>
    void response.end(text)

/** Answers that are none, and those that lie: none of them leaves anything in the room. */
const BAD: readonly (readonly [
  what: string,
  answers: Record<string, IdentityAnswer>,
  status: number,
  errcode: string,
])[] = [
  ['no JSON', { '/hash_details': says('<html>') }, 502, 'M_UNKNOWN'],
  ['a list', { '/hash_details': says('[]') }, 502, 'M_UNKNOWN'],
  ['a huge answer', { '/lookup': says(`{"mappings":{"x":"${'x'.repeat(100_000)}"}}`) }, 502, 'M_UNKNOWN'],
  ['nothing', { '/lookup': (response) => void response.destroy() }, 502, 'M_UNKNOWN'],
  [
    'a redirect',
    { '/lookup': (response) => void response.writeHead(302, { location: 'https://localhost/' }).end() },
    502,
    'M_UNKNOWN',
  ],
  ['no way of hashing', { '/hash_details': details('md5') }, 502, 'M_UNKNOWN'],
  ['no pepper', { '/hash_details': [200, { algorithms: ['sha256'] }] }, 502, 'M_UNKNOWN'],
  ['no mappings', { '/lookup': [200, {}] }, 502, 'M_UNKNOWN'],
  [
    'somebody who is no user',
    { '/lookup': [200, { mappings: { [sha256('bob@example.org email salt')]: 'bob' } }] },
    502,
    'M_UNKNOWN',
  ],
  ['an error', { '/store-invite': [500, {}] }, 502, 'M_UNKNOWN'],
  ['a token that is no state key', { '/store-invite': stored({ token: 'a/b' }) }, 502, 'M_UNKNOWN'],
  ['no keys', { '/store-invite': stored({ public_keys: [] }) }, 502, 'M_UNKNOWN'],
  [
    'a key that is none',
    { '/store-invite': stored({ public_keys: [key(), key({ public_key: 'AAAA' })] }) },
    502,
    'M_UNKNOWN',
  ],
  [
    'keys that are asked about without TLS',
    { '/store-invite': stored({ public_keys: [key({ key_validity_url: 'http://id.example/' })] }) },
    502,
    'M_UNKNOWN',
  ],
  ['that its token is stale', { '/hash_details': refuses(401, 'M_UNAUTHORIZED') }, 403, 'M_FORBIDDEN'],
  ['its terms', { '/lookup': refuses(403, 'M_TERMS_NOT_SIGNED') }, 403, 'M_TERMS_NOT_SIGNED'],
  ['that it has enough', { '/store-invite': refuses(429, 'M_LIMIT_EXCEEDED') }, 429, 'M_LIMIT_EXCEEDED'],
  ['that it is taken', { '/store-invite': refuses(400, 'M_THREEPID_IN_USE') }, 400, 'M_THREEPID_IN_USE'],
  [
    'that it sends no text messages',
    { '/store-invite': refuses(400, 'M_UNRECOGNIZED') },
    400,
    'M_THREEPID_MEDIUM_NOT_SUPPORTED',
  ],
]

const drivers = await findServerDrivers()

{
  // What is said to identity servers is the same whatever the database.
  const [driver] = drivers as [ServerDriver, ...ServerDriver[]]
  describe('identity servers and what they answer', () => {
    let scene: Scene
    before(async () => {
      scene = await open(driver)
    })
    after(() => scene[Symbol.asyncDispose]())
    beforeEach(() => {
      identity.asked.length = 0
    })

    it('an address is asked about as a hash, and as it is only where a server takes nothing else', async () => {
      const { alice } = scene
      const roomId = await scene.makeRoom({ name: 'The club', topic: 'not told' })
      await ok(scene.server, alice, 'PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' })
      behave()
      assert.deepEqual(await scene.ask(alice, inviteUrl(roomId), inviteOf()), { status: 200, json: {} })
      assert.deepEqual(
        identity.asked.map(({ path: below, authorization, body }) => [below, authorization, body]),
        [
          ['/hash_details', 'Bearer token-there', {}],
          [
            '/lookup',
            'Bearer token-there',
            { addresses: [sha256('bob@example.org email salt')], algorithm: 'sha256', pepper: 'salt' },
          ],
          [
            '/store-invite',
            'Bearer token-there',
            {
              medium: 'email',
              address: 'bob@example.org',
              room_id: roomId,
              sender: alice.userId,
              room_name: 'The club',
              room_join_rules: 'invite',
              sender_display_name: 'Alice',
            },
          ],
        ],
      )
      const [pending] = await scene.pending(roomId)
      assert.deepEqual(
        [pending?.['state_key'], pending?.['content']],
        ['abc', { ...key(), display_name: 'b...@e...', public_keys: [key()] }],
      )
      behave({ '/hash_details': details('none') })
      await ok(scene.server, alice, 'POST', inviteUrl(roomId), inviteOf())
      const plain = { addresses: ['bob@example.org email'], algorithm: 'none', pepper: 'salt' }
      assert.deepEqual(identity.asked[4]?.body, plain)
    })

    it('a pepper that changes is asked for once more, and no oftener; what is answered of others does not count', async () => {
      const bob = await scene.server.register('bob')
      const roomId = await scene.makeRoom()
      const stale = refuses(400, 'M_INVALID_PEPPER')
      const fresh: IdentityAnswer = [200, { lookup_pepper: 'fresh', algorithms: ['sha256'] }]
      const found = { [sha256('bob@example.org email fresh')]: bob.userId, else: '@eve:test.example' }
      behave({ '/hash_details': [details('sha256'), fresh], '/lookup': [stale, [200, { mappings: found }]] })
      await ok(scene.server, scene.alice, 'POST', inviteUrl(roomId), inviteOf())
      const member = `/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${bob.userId}`
      assert.equal((await ok(scene.server, scene.alice, 'GET', member))['membership'], 'invite')
      behave({ '/lookup': stale })
      identity.asked.length = 0
      assert.equal((await scene.ask(scene.alice, inviteUrl(roomId), inviteOf())).status, 502)
      assert.equal(identity.asked.length, 4)
    })

    it('nothing leaves this server for who may not invite, or asks what it does not do', async () => {
      const bob = await scene.server.register('barred')
      const roomId = await scene.makeRoom({
        preset: 'public_chat',
        power_level_content_override: { invite: 50 },
      })
      behave()
      const refused = async (login: TestLogin, body: JsonObject): Promise<unknown[]> => {
        const { status, json } = await scene.ask(login, inviteUrl(roomId), body)
        return [status, json['errcode']]
      }
      assert.deepEqual(await refused(bob, inviteOf()), [403, 'M_FORBIDDEN'], 'not in the room')
      await ok(scene.server, bob, 'POST', `/join/${encodeURIComponent(roomId)}`, {})
      assert.deepEqual(await refused(bob, inviteOf()), [403, 'M_FORBIDDEN'], 'no power to invite')
      const other = inviteOf({ id_server: 'elsewhere.example' })
      assert.deepEqual(await refused(scene.alice, other), [400, 'M_SERVER_NOT_TRUSTED'])
      for (const name of ['https://id.example', 'localhost:99999', 'local host'])
        assert.deepEqual(await refused(scene.alice, inviteOf({ id_server: name })), [400, 'M_INVALID_PARAM'])
      for (const missing of ['id_server', 'id_access_token', 'medium', 'address']) {
        const { [missing]: _, ...body } = inviteOf()
        assert.deepEqual(await refused(scene.alice, body), [400, 'M_MISSING_PARAM'], missing)
      }
      assert.deepEqual(await refused(scene.alice, inviteOf({ address: 'bob' })), [400, 'M_INVALID_PARAM'])
      const kind = inviteOf({ medium: 'pigeon' })
      assert.deepEqual(await refused(scene.alice, kind), [400, 'M_THREEPID_MEDIUM_NOT_SUPPORTED'])
      assert.deepEqual(await refused(scene.alice, {}), [400, 'M_BAD_JSON'])
      assert.deepEqual(identity.asked, [])
    })

    it('whatever an identity server answers, the room is left alone, and the client is told what it can act on', async () => {
      const roomId = await scene.makeRoom()
      for (const [what, answers, status, errcode] of BAD) {
        behave(answers)
        const { status: got, json } = await scene.ask(scene.alice, inviteUrl(roomId), inviteOf())
        assert.deepEqual([got, json['errcode']], [status, errcode], what)
      }
      behave({ '/lookup': (response) => void response.writeHead(200).write('{') })
      scene.patience = 100
      const slow = await scene.ask(scene.alice, inviteUrl(roomId), inviteOf())
      assert.deepEqual([slow.status, slow.json['errcode']], [502, 'M_UNKNOWN'], 'it never ends')
      scene.patience = TIMEOUT_MS
      assert.deepEqual(await scene.pending(roomId), [])
      behave({ '/store-invite': stored({ display_name: 'BOB@example.org', token: 'veiled' }) })
      await ok(scene.server, scene.alice, 'POST', inviteUrl(roomId), inviteOf())
      const [pending] = await scene.pending(roomId)
      assert.equal((pending!['content'] as JsonObject)['display_name'], 'b...@e...', 'everybody reads it')
    })

    it('an identity server at a private address is not asked unless that is allowed', async () => {
      await using guarded = await open(driver, { allow_private_addresses: [] })
      const roomId = await guarded.makeRoom()
      behave()
      assert.equal((await guarded.ask(guarded.alice, inviteUrl(roomId), inviteOf())).status, 502)
      assert.deepEqual(identity.asked, [])
    })

    it('clients are told which identity server to use', async () => {
      const told = (await scene.server.request('GET', '/.well-known/matrix/client')).json()
      assert.deepEqual(told['m.identity_server'], { base_url: `https://${identity.name}` })
    })
  })
}

for (const driver of drivers) {
  describe(`${driver.name}: what identity servers are told to publish`, { skip: driver.skip }, () => {
    it('a room is made with people invited by address; what is refused beforehand makes none', async () => {
      await using scene = await open(driver)
      behave({ '/lookup': refuses(403, 'M_TERMS_NOT_SIGNED') })
      const body = { invite_3pid: [inviteOf(), inviteOf({ address: 'carol@example.org' })] }
      const refused = await scene.ask(scene.alice, '/createRoom', body)
      assert.deepEqual([refused.status, refused.json['errcode']], [403, 'M_TERMS_NOT_SIGNED'])
      const untrusted = { invite_3pid: [inviteOf({ id_server: 'elsewhere.example' })] }
      assert.equal(
        (await scene.ask(scene.alice, '/createRoom', untrusted)).json['errcode'],
        'M_SERVER_NOT_TRUSTED',
      )
      assert.deepEqual((await ok(scene.server, scene.alice, 'GET', '/joined_rooms'))['joined_rooms'], [])
      behave({ '/store-invite': [refuses(500, 'M_UNKNOWN'), stored({ token: 'of-carol' })] })
      const roomId = await scene.makeRoom(body)
      const pending = await scene.pending(roomId)
      assert.deepEqual(
        pending.map((event) => event['state_key']),
        ['of-carol'],
        'the room is there, whatever becomes of an invitation',
      )
    })

    it('what is bound is remembered, unbound in the name of this server, and forgotten', async () => {
      await using scene = await open(driver)
      const { alice } = scene
      const { db, signer, federation } = scene.server.hs
      const known = async (): Promise<string[]> =>
        (await listIdentityBindings(db, alice.userId)).map((one) => `${one.address} ${one.idServer}`)
      const bind = {
        client_secret: 'secret',
        sid: '7',
        id_server: identity.name,
        id_access_token: 'token-there',
      }
      const bound = { medium: 'email', address: 'alice@example.org', mxid: alice.userId }
      identity.answers.set('/3pid/bind', [200, { ...bound, mxid: '@eve:test.example' }])
      assert.equal(
        (await scene.ask(alice, '/account/3pid/bind', bind)).status,
        502,
        'it bound something else',
      )
      assert.deepEqual(await known(), [])
      identity.answers.set('/3pid/bind', [200, bound])
      assert.deepEqual(await scene.ask(alice, '/account/3pid/bind', bind), { status: 200, json: {} })
      const told = { client_secret: 'secret', sid: '7', mxid: alice.userId }
      assert.deepEqual(identity.asked.at(-1)?.body, told)
      assert.deepEqual(await known(), [`alice@example.org ${identity.name}`])

      const of = { medium: 'email', address: 'Alice@example.org' }
      const unbind = async (below: string, more: JsonObject = {}): Promise<unknown> =>
        (await scene.ask(alice, `/account/3pid/${below}`, { ...of, ...more })).json['id_server_unbind_result']
      identity.answers.set('/3pid/unbind', refuses(403, 'M_FORBIDDEN'))
      assert.equal(await unbind('unbind'), 'no-support')
      assert.deepEqual(await known(), [`alice@example.org ${identity.name}`], 'it is bound still')
      identity.answers.set('/3pid/unbind', [200, {}])
      assert.equal(await unbind('delete'), 'success')
      assert.deepEqual(await known(), [])
      assert.equal(await unbind('delete'), 'no-support', 'nothing is known')
      assert.equal(await unbind('unbind', { id_server: identity.name }), 'success', 'where the client says')
      const untrusted = await scene.ask(alice, '/account/3pid/unbind', { ...of, id_server: 'else.example' })
      assert.equal(untrusted.json['errcode'], 'M_SERVER_NOT_TRUSTED')

      const { authorization, body } = identity.asked.at(-1)!
      assert.deepEqual(body, { mxid: alice.userId, threepid: { ...of, address: 'alice@example.org' } })
      const signature = /sig="([^"]+)"/.exec(authorization)![1]!
      const signed = {
        method: 'POST',
        uri: '/_matrix/identity/v2/3pid/unbind',
        origin: signer.serverName,
        destination_is: identity.name,
        content: body,
      }
      const { publicKey } = federation.ownKeys.find(signer.keyId)!
      assert.ok(verifySignature(publicKey, canonicalJson(signed), signature))
    })

    it('an account that ends is unbound everywhere, and ends whatever identity servers do', async () => {
      await using scene = await open(driver)
      const { db } = scene.server.hs
      const end = async (login: TestLogin): Promise<JsonObject> => {
        const first = await scene.ask(login, '/account/deactivate', {})
        const identifier = { type: 'm.id.user', user: login.userId }
        const session = first.json['session']!
        const auth = { type: 'm.login.password', identifier, password: TEST_PASSWORD, session }
        return (await scene.ask(login, '/account/deactivate', { auth })).json
      }
      const bindTo = async (login: TestLogin): Promise<void> => {
        const bound = { medium: 'email', address: 'a@example.org', mxid: login.userId }
        identity.answers.set('/3pid/bind', [200, bound])
        const body = { client_secret: 's', sid: '1', id_server: identity.name, id_access_token: 'token' }
        await ok(scene.server, login, 'POST', '/account/3pid/bind', body)
      }
      const [bob, carol] = [await scene.server.register('bob'), await scene.server.register('carol')]
      assert.deepEqual(await end(bob), { id_server_unbind_result: 'success' }, 'nothing was bound')
      await bindTo(carol)
      await bindTo(scene.alice)
      identity.answers.set('/3pid/unbind', [200, {}])
      assert.deepEqual(await end(carol), { id_server_unbind_result: 'success' })
      assert.equal((identity.asked.at(-1)!.body['threepid'] as JsonObject)['address'], 'a@example.org')
      identity.answers.set('/3pid/unbind', () => undefined)
      scene.patience = 100
      assert.deepEqual(await end(scene.alice), { id_server_unbind_result: 'no-support' })
      for (const { userId } of [carol, scene.alice])
        assert.deepEqual(await listIdentityBindings(db, userId), [])
    })
  })
}

it('options that make no sense together are told', () => {
  const found = (allowed: string[], suggested?: string, federation = true): string[] =>
    findIdentityConflicts({ allowed, ...(suggested === undefined ? {} : { suggested }) }, federation).map(
      (conflict) => conflict.path.join('.'),
    )
  assert.deepEqual(found([]), [])
  assert.deepEqual(found(['*.example.org', 'id.example'], 'https://ID.example'), [])
  assert.deepEqual(found(['id.example'], 'https://other.example'), ['identity_servers.suggested'])
  assert.deepEqual(found(['https://id.example']), ['identity_servers.allowed'])
  assert.deepEqual(found(['id.example'], undefined, false), ['identity_servers.allowed'])
})
