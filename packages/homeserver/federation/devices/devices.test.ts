import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers, testConfig, type ServerDriver, type TestServer } from '../../test-server.ts'
import { createTestPeers, unreachable, type TestPeers } from '../test-peers.ts'

const FAR = 'far.example'
const RITA = '@rita:far.example'

interface Scene extends AsyncDisposable {
  peers: TestPeers
  here: TestServer
  far: TestServer
  deviceId: string
  /** As Alice, here; and as Rita, there. */
  ask(path: string, body: JsonObject): Promise<JsonObject>
  there(path: string, body: JsonObject): Promise<JsonObject>
  rename(name: string): Promise<void>
}

async function open(driver: ServerDriver, sharesNames = false): Promise<Scene> {
  const peers = createTestPeers()
  const here = await peers.start(driver, 'here.example')
  const federation = { ...testConfig('', {}).federation, share_device_names: sharesNames }
  const far = await peers.start(driver, FAR, { config: { federation } })
  const [alice, rita] = [await here.register('alice'), await far.register('rita')]
  const send = async (server: TestServer, token: string, path: string, body: JsonObject) => {
    const answer = await server.request('POST', `/_matrix/client/v3${path}`, { token, body })
    assert.equal(answer.status, 200, JSON.stringify(answer.json()))
    return answer.json()
  }
  return {
    peers,
    here,
    far,
    deviceId: rita.deviceId,
    ask: (path, body) => send(here, alice.token, path, body),
    there: (path, body) => send(far, rita.token, path, body),
    async rename(name) {
      const body = { display_name: name }
      const path = `/_matrix/client/v3/devices/${rita.deviceId}`
      assert.equal((await far.request('PUT', path, { token: rita.token, body })).status, 200)
    },
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]()
      await far[Symbol.asyncDispose]()
    },
  }
}

function deviceKeys(deviceId: string): JsonObject {
  return {
    user_id: RITA,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: 'abc' },
    signatures: { [RITA]: { [`ed25519:${deviceId}`]: 'def' } },
  }
}

const oneTimeKey = (n: number): JsonObject => ({ key: `key ${n}`, signatures: {} })

for (const driver of await findServerDrivers()) {
  describe(`devices and keys between servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('devices are told with the number of their last change, and without names', async () => {
      await using scene = await open(driver)
      const { client } = scene.here.hs.federation
      const path = (userId: string): string =>
        `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`
      const read = (userId: string): Promise<JsonObject> =>
        client.request(FAR as never, { method: 'GET', path: path(userId) })
      assert.deepEqual((await read(RITA))['devices'], [])
      await scene.there('/keys/upload', { device_keys: deviceKeys(scene.deviceId) })
      const answer = await read(RITA)
      assert.deepEqual(answer, {
        user_id: RITA,
        stream_id: scene.far.hs.log.changes.device_list.lastChange(RITA),
        devices: [{ device_id: scene.deviceId, keys: { ...deviceKeys(scene.deviceId), unsigned: {} } }],
      })
      await assert.rejects(read('@alice:here.example'), /answers 400/)
    })

    it('devices are told with their names where their operator shares these, to who asks either way', async () => {
      for (const sharesNames of [false, true]) {
        await using scene = await open(driver, sharesNames)
        await scene.there('/keys/upload', { device_keys: deviceKeys(scene.deviceId) })
        await scene.rename('Phone')
        const path = `/_matrix/federation/v1/user/devices/${encodeURIComponent(RITA)}`
        const list = await scene.here.hs.federation.client.request(FAR as never, { method: 'GET', path })
        const [device] = list['devices'] as JsonObject[]
        assert.equal(device!['device_display_name'], sharesNames ? 'Phone' : undefined)
        const answer = await scene.ask('/keys/query', { device_keys: { [RITA]: [] } })
        const keys = (answer['device_keys'] as Record<string, Record<string, JsonObject>>)[RITA]![
          scene.deviceId
        ]
        assert.deepEqual(keys!['unsigned'], sharesNames ? { device_display_name: 'Phone' } : {})
      }
    })

    it('keys are asked for by way of the own server', async () => {
      await using scene = await open(driver)
      await scene.there('/keys/upload', { device_keys: deviceKeys(scene.deviceId) })
      const wanted = { [RITA]: [], '@a:far.example': [], '@b:far.example': [], '@c:far.example': [] }
      const answer = await scene.ask('/keys/query', { device_keys: wanted })
      assert.deepEqual(answer['device_keys'], {
        [RITA]: { [scene.deviceId]: { ...deviceKeys(scene.deviceId), unsigned: {} } },
        '@a:far.example': {},
        '@b:far.example': {},
        '@c:far.example': {},
      })
      assert.deepEqual(answer['failures'], {})
      const one = await scene.ask('/keys/query', { device_keys: { [RITA]: ['OTHER'] } })
      assert.deepEqual(one['device_keys'], { [RITA]: {} })
    })

    it('one-time keys are claimed once each, then the fallback key', async () => {
      await using scene = await open(driver)
      await scene.there('/keys/upload', {
        device_keys: deviceKeys(scene.deviceId),
        one_time_keys: { 'signed_curve25519:A': oneTimeKey(1), 'signed_curve25519:B': oneTimeKey(2) },
        fallback_keys: { 'signed_curve25519:F': oneTimeKey(3) },
      })
      const claim = async (): Promise<unknown> =>
        (
          await scene.ask('/keys/claim', {
            one_time_keys: { [RITA]: { [scene.deviceId]: 'signed_curve25519', NONE: 'signed_curve25519' } },
          })
        )['one_time_keys']
      const both = await Promise.all([claim(), claim()])
      const keyOf = (id: string, n: number): JsonObject => ({
        [RITA]: { [scene.deviceId]: { [`signed_curve25519:${id}`]: oneTimeKey(n) } },
      })
      const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
      assert.deepEqual(both.toSorted(byText), [keyOf('A', 1), keyOf('B', 2)].toSorted(byText))
      assert.deepEqual(await claim(), keyOf('F', 3))
    })

    it('what another server gives beyond what was claimed is left out, and failures are told', async () => {
      await using scene = await open(driver)
      scene.peers.play(FAR, () => ({
        one_time_keys: {
          [RITA]: {
            D: { 'other:A': 'x', 'signed_curve25519:B': { nokey: 1 } },
            E: { 'signed_curve25519:C': 'y' },
          },
          '@alice:here.example': { D: { 'signed_curve25519:A': 'z' } },
        },
      }))
      scene.peers.play('down.example', () => unreachable('down.example'))
      const answer = await scene.ask('/keys/claim', {
        one_time_keys: {
          [RITA]: { D: 'signed_curve25519' },
          '@x:down.example': { D: 'signed_curve25519' },
        },
      })
      assert.deepEqual(answer['one_time_keys'], {})
      assert.deepEqual(Object.keys(answer['failures'] as JsonObject), ['down.example'])
    })
  })
}
