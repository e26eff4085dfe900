import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { receiveEdus } from '../../federation/edus/receive-edu.ts'
import {
  createTestPeers,
  joinFromElsewhere,
  leaveFromElsewhere,
  unreachable,
  type Play,
  type TestPeers,
} from '../../federation/test-peers.ts'
import { findServerDrivers, type ServerDriver, type TestServer } from '../../test-server.ts'

const REMOTE = '@rita:far.example'
const FAR = 'far.example' as ServerName
const QUERY = '/_matrix/federation/v1/user/devices/%40rita%3Afar.example'

/** What the far server says of Rita: changed by the tests. */
interface Rita {
  streamId: number
  devices: Record<string, string>
  master: string | undefined
}

function keysOf(deviceId: string, key: string): JsonObject {
  return {
    user_id: REMOTE,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: key },
    signatures: {},
  }
}

function masterKey(publicKey: string): JsonObject {
  return { user_id: REMOTE, usage: ['master'], keys: { [`ed25519:${publicKey}`]: publicKey } }
}

function playRita(rita: Rita): Play {
  return () => ({
    user_id: REMOTE,
    stream_id: rita.streamId,
    devices: Object.entries(rita.devices).map(([id, key]) => ({
      device_id: id,
      keys: keysOf(id, key),
      device_display_name: `name of ${id}`,
    })),
    ...(rita.master === undefined ? {} : { master_key: masterKey(rita.master) }),
  })
}

interface Scene extends AsyncDisposable {
  peers: TestPeers
  rita: Rita
  server: TestServer
  roomId: string
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** Rita's devices with their keys, as a client of ours is told. */
  devices(): Promise<Record<string, string>>
  query(): Promise<JsonObject>
  sync(): Promise<JsonObject>
  receive(...edus: JsonObject[]): Promise<void>
  restart(): Promise<void>
}

async function open(driver: ServerDriver): Promise<Scene> {
  const peers = createTestPeers()
  const rita: Rita = { streamId: 5, devices: { A: 'a1' }, master: undefined }
  peers.play(FAR, playRita(rita))
  const server = await peers.start(driver, 'here.example')
  const { token } = await server.register('alice')
  let since = ''
  const scene: Scene = {
    peers,
    rita,
    server,
    roomId: '',
    async call(method, path, body) {
      const url = `/_matrix/client/v3${path}`
      const answer = await scene.server.request(method, url, { token, ...(body && { body }) })
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    },
    query: () => scene.call('POST', '/keys/query', { device_keys: { [REMOTE]: [] } }),
    async devices() {
      const { device_keys: users } = await scene.query()
      const devices = (users as Record<string, JsonObject>)[REMOTE] ?? {}
      return Object.fromEntries(
        Object.entries(devices).map(([id, keys]) => [
          id,
          ((keys as JsonObject)['keys'] as Record<string, string>)[`ed25519:${id}`]!,
        ]),
      )
    },
    async sync() {
      const answer = await scene.call('GET', `/sync${since === '' ? '' : `?since=${since}`}`)
      since = answer['next_batch'] as string
      return answer
    },
    receive: (...edus) => receiveEdus(scene.server.hs, FAR, edus),
    async restart() {
      scene.server = await scene.server.restart()
    },
    [Symbol.asyncDispose]: () => scene.server[Symbol.asyncDispose](),
  }
  const made = await scene.call('POST', '/createRoom', { preset: 'public_chat' })
  scene.roomId = made['room_id'] as string
  return scene
}

async function openTogether(driver: ServerDriver): Promise<Scene> {
  const scene = await open(driver)
  await joinFromElsewhere(scene.server, scene.roomId, REMOTE)
  await scene.sync()
  return scene
}

function update(streamId: number, prev: number[], more: JsonObject): JsonObject {
  const content = { user_id: REMOTE, device_id: 'A', stream_id: streamId, prev_id: prev, ...more }
  return { edu_type: 'm.device_list_update', content }
}

function changed(sync: JsonObject): unknown {
  return sync['device_lists']
}

for (const driver of await findServerDrivers()) {
  describe(`devices of users of other servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('are asked for each time when no room is shared', async () => {
      await using scene = await open(driver)
      assert.deepEqual(await scene.devices(), { A: 'a1' })
      scene.rita.devices = { B: 'b1' }
      assert.deepEqual(await scene.devices(), { B: 'b1' })
      assert.deepEqual(scene.peers.takePaths(FAR), [QUERY, QUERY])
    })

    it('are asked for once and kept when a room is shared, with names and identity', async () => {
      await using scene = await openTogether(driver)
      const publicKey = Buffer.alloc(32, 1).toString('base64').replaceAll('=', '')
      scene.rita.master = publicKey
      await scene.devices()
      const answer = await scene.query()
      assert.deepEqual(answer, {
        device_keys: {
          [REMOTE]: { A: { ...keysOf('A', 'a1'), unsigned: { device_display_name: 'name of A' } } },
        },
        master_keys: { [REMOTE]: masterKey(publicKey) },
        self_signing_keys: {},
        user_signing_keys: {},
        failures: {},
      })
      assert.deepEqual(scene.peers.takePaths(FAR), [QUERY])
      await scene.restart()
      assert.deepEqual(await scene.devices(), { A: 'a1' })
      assert.deepEqual(scene.peers.takePaths(FAR), [])
    })

    it('follow the updates of their server, and clients are told of each', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      await scene.receive(
        update(6, [5], { keys: keysOf('A', 'a2') }),
        update(7, [6], { device_id: 'B', keys: keysOf('B', 'b1') }),
      )
      assert.deepEqual(changed(await scene.sync()), { changed: [REMOTE], left: [] })
      assert.deepEqual(await scene.devices(), { A: 'a2', B: 'b1' })
      await scene.receive(update(8, [7], { deleted: true }))
      assert.deepEqual(await scene.devices(), { B: 'b1' })
      assert.deepEqual(scene.peers.takePaths(FAR), [QUERY])
    })

    it('are fetched anew, without being asked for, when an update was missed', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      scene.rita.devices = { C: 'c1' }
      scene.rita.streamId = 9
      await scene.receive(update(9, [8], { device_id: 'C', keys: keysOf('C', 'c1') }))
      assert.deepEqual(changed(await scene.sync()), { changed: [REMOTE], left: [] })
      assert.deepEqual(await scene.devices(), { C: 'c1' })
      // The chain goes on from what was fetched.
      scene.peers.takePaths(FAR)
      await scene.receive(update(10, [9], { device_id: 'D', keys: keysOf('D', 'd1') }))
      assert.deepEqual(await scene.devices(), { C: 'c1', D: 'd1' })
      assert.deepEqual(scene.peers.takePaths(FAR), [])
    })

    it('stay marked as stale over a restart until their server answers, and are shown as last known', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      scene.peers.play(FAR, () => unreachable(FAR))
      await scene.receive(update(9, [8], {}))
      await scene.server.hs.remoteDevices.idle()
      const answer = await scene.query()
      assert.deepEqual(Object.keys(answer['failures'] as JsonObject), [FAR])
      assert.deepEqual(Object.keys((answer['device_keys'] as Record<string, JsonObject>)[REMOTE]!), ['A'])
      await scene.restart()
      scene.rita.devices = { E: 'e1' }
      scene.peers.play(FAR, playRita(scene.rita))
      await scene.sync()
      assert.deepEqual(await scene.devices(), { E: 'e1' })
    })

    it('are no longer kept once the last shared room has ended, and that is told', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      await leaveFromElsewhere(scene.server, scene.roomId, REMOTE)
      assert.deepEqual(changed(await scene.sync()), { changed: [], left: [REMOTE] })
      // What happens meanwhile nobody tells us.
      scene.rita.devices = { F: 'f1' }
      await joinFromElsewhere(scene.server, scene.roomId, REMOTE)
      assert.deepEqual(changed(await scene.sync()), { changed: [REMOTE], left: [] })
      assert.deepEqual(await scene.devices(), { F: 'f1' })
    })

    it('are no longer kept once the last user of ours has left', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      await scene.call('POST', `/rooms/${encodeURIComponent(scene.roomId)}/leave`, {})
      await scene.server.hs.remoteDevices.idle()
      const rows = await scene.server.hs.db.query(
        'SELECT user_id FROM remote_devices UNION SELECT user_id FROM remote_device_lists',
        [],
      )
      assert.deepEqual(rows, [])
    })

    it('change only by word of their own server, and only while a room is shared', async () => {
      await using scene = await openTogether(driver)
      await scene.devices()
      await receiveEdus(scene.server.hs, 'evil.example' as ServerName, [
        update(6, [5], { keys: keysOf('A', 'evil') }),
      ])
      await scene.receive({
        edu_type: 'm.device_list_update',
        content: { user_id: '@nobody:far.example', device_id: 'X', stream_id: 1 },
      })
      assert.equal(changed(await scene.sync()), undefined)
      assert.deepEqual(await scene.devices(), { A: 'a1' })
      const refusals = scene.server.hs.eduTally.figures().filter(({ outcome }) => outcome === 'refused')
      assert.deepEqual(refusals, [{ type: 'm.device_list_update', outcome: 'refused', n: 2 }])
    })

    it('are not believed where they are no devices of that user, or too many', async () => {
      await using scene = await openTogether(driver)
      const other = { ...keysOf('A', 'x'), user_id: '@alice:here.example' }
      const devices = [
        { device_id: 'A', keys: other },
        { device_id: 'B', keys: keysOf('C', 'x') },
        { device_id: 'D', keys: { ...keysOf('D', 'd'), padding: 'x'.repeat(30_000) } },
        { device_id: 'E', keys: keysOf('E', 'e1') },
        'nonsense',
      ]
      scene.peers.play(FAR, () => ({ user_id: REMOTE, stream_id: 1, devices }) as JsonObject)
      assert.deepEqual(await scene.devices(), { E: 'e1' })
      const many = Array.from({ length: 1_001 }, (_, i) => ({
        device_id: `D${i}`,
        keys: keysOf(`D${i}`, 'k'),
      }))
      await scene.receive(update(3, [], {}))
      scene.peers.play(FAR, () => ({ user_id: REMOTE, stream_id: 3, devices: many }) as JsonObject)
      assert.deepEqual(await scene.devices(), {})
    })

    it('take over a new identity, with which the keys that the old one signed are gone', async () => {
      await using scene = await openTogether(driver)
      const [one, two, self] = [1, 2, 3].map((n) =>
        Buffer.alloc(32, n).toString('base64').replaceAll('=', ''),
      )
      scene.rita.master = one
      await scene.devices()
      const selfSigning = { user_id: REMOTE, usage: ['self_signing'], keys: { [`ed25519:${self}`]: self! } }
      const keyUpdate = (content: JsonObject): JsonObject => ({
        edu_type: 'm.signing_key_update',
        content: { user_id: REMOTE, ...content },
      })
      await scene.receive(keyUpdate({ self_signing_key: selfSigning }))
      assert.deepEqual((await scene.query())['self_signing_keys'], { [REMOTE]: selfSigning })
      await scene.receive(keyUpdate({ master_key: masterKey(two!) }))
      const answer = await scene.query()
      assert.deepEqual(answer['master_keys'], { [REMOTE]: masterKey(two!) })
      assert.deepEqual(answer['self_signing_keys'], {})
      assert.deepEqual(changed(await scene.sync()), { changed: [REMOTE], left: [] })
    })

    it('of many users of a server are asked for in one request; servers that fail are told of', async () => {
      await using scene = await open(driver)
      const users = Array.from({ length: 10 }, (_, i) => `@u${i}:far.example`)
      scene.peers.play(FAR, ({ body }) => {
        const asked = Object.keys((body as JsonObject)['device_keys'] as JsonObject)
        return { device_keys: Object.fromEntries(asked.map((userId) => [userId, {}])) }
      })
      scene.peers.play('down.example', () => unreachable('down.example'))
      const wanted = Object.fromEntries([...users, '@x:down.example'].map((userId) => [userId, []]))
      const answer = await scene.call('POST', '/keys/query', { device_keys: wanted })
      assert.deepEqual(Object.keys(answer['device_keys'] as JsonObject).toSorted(), users)
      assert.deepEqual(answer['failures'], {
        'down.example': { status: 503, message: 'This server does not answer' },
      })
      assert.deepEqual(scene.peers.takePaths(FAR), ['/_matrix/federation/v1/user/keys/query'])
    })
  })
}
