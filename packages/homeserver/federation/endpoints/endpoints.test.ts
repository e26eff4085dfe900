import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { verifyJson } from '@causeway/matrix/signing/verify-json.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { clientRoutes } from '../../client/routes.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import { readKeyDocument } from '../keys/key-document.ts'
import { federationRoutes } from '../routes.ts'

let world: Awaited<ReturnType<typeof startFederatedServers>>
let one: FederatedServer
let two: FederatedServer
let three: FederatedServer
before(async () => {
  world = await startFederatedServers(3, {
    endpoints: [...clientRoutes, ...federationRoutes],
    federation: { delegate: 'chat.hs.test:443' },
  })
  ;[one, two, three] = world.servers as [FederatedServer, FederatedServer, FederatedServer]
})
after(() => world[Symbol.asyncDispose]())

const get = async (server: FederatedServer, path: string): Promise<JsonObject> => {
  const answer = await server.request('GET', path)
  assert.equal(answer.status, 200, path)
  return answer.json()
}

/** Documents of an answer, each verified to be signed by its owner and by the notary. */
function documentsOf(answer: JsonObject, notary: FederatedServer): string[] {
  return (answer['server_keys'] as JsonObject[]).map((document) => {
    const name = document['server_name'] as string
    const read = readKeyDocument(document, name as FederatedServer['name'], verifySignature)
    assert.ok(typeof read !== 'string', JSON.stringify(read))
    const find = (
      id: Parameters<FederatedServer['hs']['federation']['ownKeys']['find']>[0],
    ): string | undefined => notary.hs.federation.ownKeys.find(id)?.publicKey
    assert.deepEqual(verifyJson(document, notary.name, find, verifySignature), { ok: true })
    return name
  })
}

describe('what other servers are offered', () => {
  it('tells the program and its version', async () => {
    const { server } = await get(one, '/_matrix/federation/v1/version')
    assert.equal((server as JsonObject)['name'], 'Causeway')
    assert.match((server as JsonObject)['version'] as string, /^\d+\.\d+\.\d+$/)
  })

  it('tells where to connect, when that is elsewhere', async () => {
    assert.deepEqual(await get(one, '/.well-known/matrix/server'), { 'm.server': 'chat.hs.test:443' })
  })

  it('tells our keys, signed by each', async () => {
    const document = await get(one, '/_matrix/key/v2/server')
    const read = readKeyDocument(document, one.name, verifySignature)
    assert.ok(typeof read !== 'string', JSON.stringify(read))
    assert.deepEqual(
      read.keys.map(({ keyId }) => keyId),
      [one.hs.signer.keyId],
    )
    const ahead = read.validUntilTs - one.hs.clock.now()
    assert.ok(ahead > 3_600_000 && ahead <= 7 * 86_400_000)
  })

  it('vouches for the keys of others, even of those that do not answer any more', async () => {
    const path = '/_matrix/key/v2/query'
    assert.deepEqual(documentsOf(await get(one, `${path}/${two.name}`), one), [two.name])
    assert.deepEqual(documentsOf(await get(one, `${path}/${one.name}`), one), [one.name])
    assert.deepEqual(await get(one, `${path}/nobody.test`), { server_keys: [] })
    await two.switchOff()
    assert.deepEqual(documentsOf(await get(one, `${path}/${two.name}`), one), [two.name])
    const far = one.hs.clock.now() + 400 * 86_400_000
    assert.deepEqual(documentsOf(await get(one, `${path}/${two.name}?minimum_valid_until_ts=${far}`), one), [
      two.name,
    ])
    const body = {
      server_keys: {
        [two.name]: { [two.hs.signer.keyId]: { minimum_valid_until_ts: 5 } },
        [three.name]: {},
        [one.name]: {},
        'nobody.test': {},
        'no name': {},
      },
    }
    const answer = await one.request('POST', path, { body })
    assert.equal(answer.status, 200)
    assert.deepEqual(documentsOf(answer.json(), one).toSorted(), [one.name, two.name, three.name])
    const none = await one.request('POST', path, {
      body: { server_keys: { [two.name]: { 'ed25519:other': {} } } },
    })
    assert.deepEqual(none.json(), { server_keys: [] })
    await two.switchOn()
  })

  it('refuses questions about keys that are none', async () => {
    const path = '/_matrix/key/v2/query'
    const statusOf = async (body: JsonObject): Promise<number> =>
      (await one.request('POST', path, { body })).status
    assert.equal(await statusOf({}), 400)
    assert.equal(await statusOf({ server_keys: [] }), 400)
    assert.equal(await statusOf({ server_keys: { 'a.test': [] } }), 400)
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`s${i}.test`, {}]))
    assert.equal(await statusOf({ server_keys: many }), 400)
    assert.equal((await one.request('GET', `${path}/no%20name`)).status, 400)
    assert.equal((await one.request('GET', `${path}/a.test?minimum_valid_until_ts=soon`)).status, 400)
  })

  it('tells third parties who somebody is, by a token that is good for nothing else', async () => {
    const alice = await one.register('alice')
    const bob = await one.register('bob')
    const path = (userId: string): string =>
      `/_matrix/client/v3/user/${encodeURIComponent(userId)}/openid/request_token`
    const made = await one.request('POST', path(alice.userId), { token: alice.token, body: {} })
    assert.equal(made.status, 200)
    const { access_token: given, ...rest } = made.json()
    const token = textOf(given)
    assert.deepEqual(rest, { token_type: 'Bearer', matrix_server_name: one.name, expires_in: 3600 })
    const info = `/_matrix/federation/v1/openid/userinfo?access_token=`
    assert.deepEqual(await get(one, info + token), { sub: alice.userId })
    // As the third party does: over federation, from another server.
    const asked = await two.hs.federation.client.request(one.name, {
      method: 'GET',
      path: '/_matrix/federation/v1/openid/userinfo',
      query: [['access_token', token]],
    })
    assert.deepEqual(asked, { sub: alice.userId })
    for (const wrong of ['x', alice.token, '']) {
      const answer = await one.request('GET', info + wrong)
      assert.deepEqual([answer.status, answer.json()['errcode']], [401, 'M_UNKNOWN_TOKEN'])
    }
    const whoami = await one.request('GET', '/_matrix/client/v3/account/whoami', { token: token })
    assert.equal(whoami.status, 401)
    const forOther = await one.request('POST', path(bob.userId), { token: alice.token, body: {} })
    assert.equal(forOther.status, 403)
  })
})
