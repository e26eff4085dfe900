import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { FederationError } from '../federation/federation-client.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { federationRoutes } from '../federation/routes.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import { giveCommand } from './test-command.ts'

let world: Awaited<ReturnType<typeof startFederatedServers>>
let one: FederatedServer
let two: FederatedServer
before(async () => {
  world = await startFederatedServers(2, { endpoints: federationRoutes })
  ;[one, two] = world.servers as [FederatedServer, FederatedServer]
})
after(() => world[Symbol.asyncDispose]())

const give = (name: string, input?: JsonObject): Promise<JsonValue> => giveCommand(one.hs, name, input)

const show = async (server: string, more: JsonObject = {}): Promise<JsonObject> =>
  (await give('federation-destination-show', { server, ...more })) as JsonObject

it('operators see which servers do not answer, why, and can have them tried again', async () => {
  assert.deepEqual(await give('federation-destination-list'), [])
  await two.switchOff()
  const probe = (await show(two.name, { probe: true }))['probe'] as JsonObject
  assert.equal(probe['answers'], false)
  assert.match(textOf(probe['reason']), /ECONNREFUSED/)
  const [failing] = (await give('federation-destination-list')) as JsonObject[]
  assert.deepEqual([failing!['server'], failing!['failures']], [two.name, 1])
  assert.match(textOf(failing!['last_error']), /ECONNREFUSED/)
  assert.deepEqual((await show(two.name))['failing'], failing)
  assert.equal(one.hs.federation.destinations.failing(), 1)

  await two.switchOn()
  const request = { method: 'GET', path: '/_matrix/key/v2/server' } as const
  await assert.rejects(
    one.hs.federation.client.request(two.name, request),
    (error: unknown) => error instanceof FederationError && error.failure.kind === 'backing-off',
  )
  assert.deepEqual(await give('federation-destination-reset', { server: two.name }), {
    server: two.name,
    was_failing: true,
  })
  await one.hs.federation.client.request(two.name, request)
  assert.equal(one.hs.federation.destinations.failing(), 0)
})

it('operators see where a server is and which of its keys are known', async () => {
  const keyIds = [two.hs.signer.keyId]
  await one.hs.federation.keyring.load([{ serverName: two.name, keyIds, validAt: one.hs.clock.now() }])
  const shown = await show(two.name, { probe: true })
  assert.equal((shown['probe'] as JsonObject)['answers'], true)
  assert.deepEqual(shown['found_at'], [`127.0.0.1:${two.port}`])
  assert.equal(shown['allowed'], true)
  const [key] = shown['keys'] as JsonObject[]
  assert.deepEqual([key!['id'], key!['told_by']], [two.hs.signer.keyId, 'itself'])
  assert.deepEqual((await show('nobody.test' as ServerName))['found_at'], [])
  await assert.rejects(give('federation-destination-show', { server: 'no name' }), {
    errcode: 'M_INVALID_PARAM',
  })
})
