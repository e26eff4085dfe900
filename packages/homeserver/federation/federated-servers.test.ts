import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { after, before, describe, it } from 'node:test'
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { verifySignature } from '../crypto/verify.ts'
import { clientRoutes } from '../client/routes.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import { signRequest } from './client/sign-request.ts'
import { FederationError } from './federation-client.ts'
import { createServerAuthentication } from './incoming/authenticate-server.ts'
import type { ServerKeyring } from './keys/create-keyring.ts'
import { federationRoutes } from './routes.ts'

/** Tells who asked, and what arrived. */
const echo = defineEndpoint({
  operation: 'echo',
  method: 'PUT',
  path: '/_matrix/federation/v1/echo/:word',
  auth: 'server',
  rateLimit: 'federation',
  params: Type.Object({ word: Type.String() }),
  query: Type.Object({ q: Type.Array(Type.String()) }),
  body: jsonObject,
  run: async (_hs, { origin, params, query, body }) => ({ origin, word: params.word, q: query.q, body }),
})
const bare = defineEndpoint({
  operation: 'bare',
  method: 'GET',
  path: '/_matrix/federation/v1/bare',
  auth: 'server',
  run: async (_hs, { origin }) => ({ origin }),
})

let world: Awaited<ReturnType<typeof startFederatedServers>>
let one: FederatedServer
let two: FederatedServer
before(async () => {
  world = await startFederatedServers(2, { endpoints: [...clientRoutes, ...federationRoutes, echo, bare] })
  ;[one, two] = world.servers as [FederatedServer, FederatedServer]
})
after(() => world[Symbol.asyncDispose]())

describe('two servers', () => {
  it('know each other by signed requests, whatever the path, query and body', async () => {
    const body: JsonObject = { ä: ['☃', 1, -0, 9007199254740991, { z: 1, a: null }], '\u{1f600}': '\u{ffff}' }
    const answer = await one.hs.federation.client.request(two.name, {
      method: 'PUT',
      path: `/_matrix/federation/v1/echo/${encodeURIComponent('a/b c%ü')}`,
      query: [
        ['q', 'x&y=z +'],
        ['q', ''],
      ],
      body,
    })
    assert.deepEqual(answer, {
      origin: one.name,
      word: 'a/b c%ü',
      q: ['x&y=z +', ''],
      body: { ...body, ä: ['☃', 1, 0, 9007199254740991, { z: 1, a: null }] },
    })
    const back = await two.hs.federation.client.request(one.name, {
      method: 'GET',
      path: '/_matrix/federation/v1/bare',
    })
    assert.deepEqual(back, { origin: two.name })
  })

  it('refuse unsigned requests, and ones signed for somebody else', async () => {
    const unsigned = await two.request('GET', '/_matrix/federation/v1/bare')
    assert.equal(unsigned.status, 401)
    assert.equal(unsigned.json()['errcode'], 'M_UNAUTHORIZED')
    const header = (origin: string, destination: string): Record<string, string> => ({
      authorization: `X-Matrix origin="${origin}",destination="${destination}",key="ed25519:x",sig="AAAA"`,
    })
    for (const [origin, destination] of [
      ['hs1.test', 'hs3.test'],
      ['hs2.test', 'hs2.test'],
      ['hs1.test', 'hs2.test'],
      ['nobody.test', 'hs2.test'],
    ] as const) {
      const answer = await two.request('GET', '/_matrix/federation/v1/bare', {
        headers: header(origin, destination),
      })
      assert.equal(answer.status, 401, `${origin} ${destination}`)
    }
  })

  it('take several signatures of one server, and none that is wrong', async () => {
    const { signer } = one.hs
    const uri = '/_matrix/federation/v1/bare'
    const good = signRequest(signer, two.name, { method: 'GET', uri, content: undefined })
    const unknown = good.replace(signer.keyId, 'ed25519:unknown')
    const wrong = good.replace(/sig=".{4}/, 'sig="AAAA')
    const other = good.replace('hs1.test', 'hs3.test')
    const without = signRequest(signer, two.name, { method: 'GET', uri, content: undefined }).replace(
      /destination="[^"]*",/,
      '',
    )
    const statusOf = async (...headers: string[]): Promise<number> => {
      const { port, name } = two
      const options = {
        host: '127.0.0.1',
        port,
        servername: name,
        ca: world.network.authority.certificate,
        path: uri,
      }
      const asking = httpsRequest({
        ...options,
        headers: ['host', name, ...headers.flatMap((one) => ['authorization', one])],
        agent: false,
      })
      asking.end()
      const [answer] = (await once(asking, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode!
    }
    assert.equal(await statusOf(good), 200)
    assert.equal(await statusOf(unknown, good), 200)
    assert.equal(await statusOf('Bearer x', good), 200)
    assert.equal(await statusOf(good, wrong.replace(signer.keyId, 'ed25519:unknown')), 200)
    assert.equal(await statusOf(wrong), 401)
    assert.equal(await statusOf(unknown), 401)
    assert.equal(await statusOf(good, other), 401)
    // Signed with a destination, and sent without: not what was signed.
    assert.equal(await statusOf(without), 401)
  })

  it('tell refusals, broken answers and silence apart', async () => {
    const { client } = one.hs.federation
    const kindOf = async (path: string, destination = two.name): Promise<string> => {
      try {
        await client.request(destination, { method: 'GET', path })
        return 'ok'
      } catch (error) {
        assert.ok(error instanceof FederationError)
        return error.failure.kind
      }
    }
    assert.equal(await kindOf('/_matrix/federation/v1/version'), 'ok')
    assert.equal(await kindOf('/_matrix/federation/v1/nothing'), 'refused')
    assert.equal(await kindOf('/x', 'nobody.test' as ServerName), 'unreachable')
    assert.equal(await kindOf('/x', 'nobody.test' as ServerName), 'backing-off')
    assert.equal(await kindOf('/_matrix/federation/v1/version'), 'ok', 'a refusal is no outage')
  })

  it('have each other’s keys, and those of before', async () => {
    const { keyring } = one.hs.federation
    const keyId = two.hs.signer.keyId
    const find = await keyring.load([
      { serverName: two.name, keyIds: [keyId], validAt: one.hs.clock.now() },
      { serverName: one.name, keyIds: [one.hs.signer.keyId], validAt: 0 },
      { serverName: 'nobody.test' as ServerName, keyIds: ['ed25519:x' as KeyId], validAt: 0 },
    ])
    assert.equal(find(two.name, keyId)?.publicKey, two.hs.federation.ownKeys.find(keyId)?.publicKey)
    assert.ok(find(one.name, one.hs.signer.keyId) !== undefined)
    assert.equal(find('nobody.test' as ServerName, 'ed25519:x' as KeyId), undefined)
  })
})

describe('a stranger', () => {
  it('can make us look for only so many servers', async () => {
    const seen: string[] = []
    const guarded = createServerAuthentication({
      serverName: one.name,
      keyring: {
        ...(one.hs.federation.keyring as ServerKeyring),
        holds: async () => false,
        loadPresent: async (wanted) => {
          seen.push(...wanted.map(({ serverName }) => serverName))
          return () => undefined
        },
      },
      client: one.hs.federation.client,
      filter: one.hs.federation.filter,
      verify: verifySignature,
      clock: one.hs.clock,
      mayFetchKeys: (ip) => ip !== '192.0.2.1' && seen.length < 3,
    })
    const ask = async (name: string, ip: string): Promise<string> => {
      const authorization = `X-Matrix origin="${name}",key="ed25519:x",sig="${'A'.repeat(86)}"`
      const request = { headers: { authorization }, rawHeaders: [], method: 'GET', url: '/' }
      try {
        return await guarded(request as unknown as IncomingMessage, undefined, ip)
      } catch (error) {
        return (error as MatrixError).errcode
      }
    }
    const answers: string[] = []
    for (let i = 0; i < 5; i++) answers.push(await ask(`s${i}.test`, '192.0.2.9'))
    assert.deepEqual(answers, [
      ...Array<string>(3).fill('M_UNAUTHORIZED'),
      ...Array<string>(2).fill('M_LIMIT_EXCEEDED'),
    ])
    assert.equal(await ask('t.test', '192.0.2.1'), 'M_LIMIT_EXCEEDED')
    assert.deepEqual(seen, ['s0.test', 's1.test', 's2.test'])
    assert.equal(await ask(one.name, '192.0.2.9'), 'M_UNAUTHORIZED')
  })
})
