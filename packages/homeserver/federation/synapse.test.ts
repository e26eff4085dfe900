import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { verifyJson } from '@causeway/matrix/signing/verify-json.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startSynapse, type Synapse } from '@causeway/testkit/synapse.ts'
import { clientRoutes } from '../client/routes.ts'
import { verifySignature } from '../crypto/verify.ts'
import { startReachableServer, type FederatedServer } from '../test-federation.ts'
import { FederationError } from './federation-client.ts'
import { readKeyDocument } from './keys/key-document.ts'
import { federationRoutes } from './routes.ts'

// A whole server with its own discovery, and a real Synapse: each finds the other by its name.

const authority = makeAuthority()
const found = await startSynapse({ authority })
const skip = 'skip' in found ? found.skip : false
if (skip !== false) console.log(`Synapse: skipped: ${skip}`)

describe('beside a real Synapse', { skip }, () => {
  const synapse = found as Synapse
  const theirs = synapse.serverName as ServerName
  let server: FederatedServer
  before(async () => {
    server = await startReachableServer(authority, {
      endpoints: [...clientRoutes, ...federationRoutes],
    })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await synapse[Symbol.asyncDispose]()
  })

  const ask = (path: string): Promise<JsonObject> =>
    server.hs.federation.client.request(theirs, { method: 'GET', path })

  it('we find it, and speak to it by name', async () => {
    const answer = await ask('/_matrix/federation/v1/version')
    assert.equal((answer['server'] as JsonObject)['name'], 'Synapse')
  })

  it('it knows us by our signature, and tells when it does not', async () => {
    // A query that Synapse answers only to a server whose signed request it has verified with our key.
    const request = {
      method: 'GET',
      path: '/_matrix/federation/v1/query/profile',
      query: [['user_id', `@nobody:${theirs}`]],
    } as const
    const refusal = await server.hs.federation.client.request(theirs, request).then(
      () => assert.fail('nobody has a profile there'),
      (error: unknown) => error as FederationError,
    )
    assert.ok(refusal instanceof FederationError && refusal.failure.kind === 'refused', String(refusal))
    assert.deepEqual([refusal.failure.status, refusal.failure.errcode], [404, 'M_NOT_FOUND'])
  })

  it('a signed body arrives as it was sent', async () => {
    const body = { device_keys: { [`@nobody:${theirs}`]: [] }, 'ä☃': { '\u{1f600}': [1, null, ''] } }
    const path = '/_matrix/federation/v1/user/keys/query'
    const answer = await server.hs.federation.client.request(theirs, { method: 'POST', path, body })
    assert.deepEqual(Object.keys(answer['device_keys'] as JsonObject), [`@nobody:${theirs}`])
  })

  it('we have its keys, and vouch for them', async () => {
    const { keyring, notary } = server.hs.federation
    const keyIds = ['ed25519:a_1' as KeyId]
    const find = await keyring.load([{ serverName: theirs, keyIds, validAt: systemClock.now() }])
    assert.ok(find(theirs, keyIds[0]!) !== undefined)
    const query = { keyIds: [], minimumValidUntilTs: systemClock.now() }
    const [document] = await notary.answer(new Map([[theirs, query]]), () => true)
    assert.ok(typeof readKeyDocument(document, theirs, verifySignature) !== 'string')
  })

  it('it has our keys, and vouches for them', async () => {
    const answer = await ask(`/_matrix/key/v2/query/${server.name}`)
    const [document] = answer['server_keys'] as JsonObject[]
    assert.ok(typeof readKeyDocument(document, server.name, verifySignature) !== 'string')
    const find = await server.hs.federation.keyring.load([
      { serverName: theirs, keyIds: ['ed25519:a_1' as KeyId], validAt: systemClock.now() },
    ])
    const verdict = verifyJson(document!, theirs, (keyId) => find(theirs, keyId)?.publicKey, verifySignature)
    assert.deepEqual(verdict, { ok: true })
  })

  it('it speaks to us by requests that we verify, with a body and without', async () => {
    const account = { username: 'bob', password: 'correct horse', auth: { type: 'm.login.dummy' } }
    const made = await fetch(`${synapse.url}/_matrix/client/v3/register`, {
      method: 'POST',
      body: JSON.stringify(account),
    })
    const { access_token: token } = (await made.json()) as { access_token: string }
    const headers = { authorization: `Bearer ${token}` }
    const alice = await server.register('alice')
    for (const name of ['Whales ä☃', 'Dolphins']) {
      const room = { preset: 'public_chat', visibility: 'public', name }
      await server.request('POST', '/_matrix/client/v3/createRoom', { token: alice.token, body: room })
    }
    const url = `${synapse.url}/_matrix/client/v3/publicRooms?server=${encodeURIComponent(server.name)}`
    const namesIn = async (answer: Response): Promise<unknown[]> => {
      const { chunk } = (await answer.json()) as { chunk: { name: string }[] }
      return chunk.map(({ name }) => name).toSorted()
    }
    assert.deepEqual(await namesIn(await fetch(`${url}&limit=3`, { headers })), ['Dolphins', 'Whales ä☃'])
    const body = JSON.stringify({ filter: { generic_search_term: 'ä☃' } })
    assert.deepEqual(await namesIn(await fetch(url, { method: 'POST', headers, body })), ['Whales ä☃'])
  })

  it('we do not believe a signature that is not its own', async () => {
    const forged = (key: string): Record<string, string> => ({
      authorization: `X-Matrix origin="${theirs}",destination="${server.name}",key="${key}",sig="${'A'.repeat(86)}"`,
    })
    for (const key of ['ed25519:a_1', 'ed25519:none']) {
      const answer = await server.request('GET', '/_matrix/federation/v1/publicRooms', {
        headers: forged(key),
      })
      assert.deepEqual([answer.status, answer.json()['errcode']], [401, 'M_UNAUTHORIZED'])
    }
  })
})
