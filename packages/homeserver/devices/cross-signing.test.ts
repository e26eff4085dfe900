import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { findServerDrivers, TEST_PASSWORD } from '../test-server.ts'
import { deviceKeysOf, openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

type Purpose = 'master' | 'self_signing' | 'user_signing'

interface Key {
  readonly publicKey: string
  sign(object: JsonObject, keyName?: string): JsonObject
}

/** A key of a user, made from a number: the same number, the same key. */
function makeKey(userId: string, n: number): Key {
  const seed = Buffer.alloc(32, n).toString('base64')
  const { publicKey } = makeSigner(userId, 'ed25519:x', seed)
  return {
    publicKey,
    sign: (object, keyName = publicKey) => signJson(object, makeSigner(userId, `ed25519:${keyName}`, seed)),
  }
}

function published({ userId }: TestDevice, purpose: Purpose, { publicKey }: Key): JsonObject {
  return { user_id: userId, usage: [purpose], keys: { [`ed25519:${publicKey}`]: publicKey } }
}

/** A whole set of cross-signing keys and its upload. */
function makeIdentity(of: TestDevice, n = 1): { keys: Record<Purpose, Key>; upload: JsonObject } {
  const keys = {
    master: makeKey(of.userId, n),
    self_signing: makeKey(of.userId, n + 1),
    user_signing: makeKey(of.userId, n + 2),
  }
  const signed = (purpose: Purpose): JsonObject => keys.master.sign(published(of, purpose, keys[purpose]))
  return {
    keys,
    upload: {
      master_key: published(of, 'master', keys.master),
      self_signing_key: signed('self_signing'),
      user_signing_key: signed('user_signing'),
    },
  }
}

const UPLOAD = '/keys/device_signing/upload'

async function queryOne(
  on: DeviceServer,
  as: TestDevice,
  of: TestDevice,
): Promise<Record<string, JsonObject>> {
  const answer = await on.call(as, 'POST', '/keys/query', { device_keys: { [of.userId]: [] } })
  return Object.fromEntries(
    Object.entries(answer).map(([section, users]) => [
      section,
      (users as JsonObject)[of.userId] as JsonObject,
    ]),
  )
}

function password(of: TestDevice, session: unknown): JsonObject {
  const identifier = { type: 'm.id.user', user: of.userId }
  return { type: 'm.login.password', identifier, password: TEST_PASSWORD, session: session as string }
}

for (const driver of await findServerDrivers()) {
  describe(`cross-signing keys on ${driver.name}`, { skip: driver.skip }, () => {
    it('are stored without a password at first and when they are the same, and told to those they concern', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await on.join(bob, await on.createRoom(alice))
      await on.sync(bob)
      const { upload } = makeIdentity(alice)
      for (const _ of [1, 2]) assert.deepEqual(await on.call(alice, 'POST', UPLOAD, upload), {})
      assert.deepEqual((await on.sync(bob))['device_lists'], { changed: [alice.userId], left: [] })
      const own = await queryOne(on, alice, alice)
      assert.deepEqual(
        [own['master_keys'], own['self_signing_keys'], own['user_signing_keys']],
        [upload['master_key'], upload['self_signing_key'], upload['user_signing_key']],
      )
      const others = await queryOne(on, bob, alice)
      assert.deepEqual(others['master_keys'], upload['master_key'])
      assert.equal(others['user_signing_keys'], undefined)
    })

    it('are replaced or added to only with the password, and end what the master key signed', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const first = makeIdentity(alice)
      await on.call(alice, 'POST', UPLOAD, { master_key: first.upload['master_key']! })
      const { self_signing_key: added } = first.upload
      const challenge = await on.ask(alice, 'POST', UPLOAD, { self_signing_key: added! })
      assert.equal(challenge.status, 401)
      assert.deepEqual(challenge.body['flows'], [{ stages: ['m.login.password'] }])
      const auth = password(alice, challenge.body['session'])
      for (const _ of [1, 2]) await on.call(alice, 'POST', UPLOAD, { self_signing_key: added!, auth })
      assert.deepEqual((await queryOne(on, alice, alice))['self_signing_keys'], added)
      const second = makeIdentity(alice, 11)
      const again = await on.ask(alice, 'POST', UPLOAD, { master_key: second.upload['master_key']! })
      assert.equal(again.status, 401)
      const body = { master_key: second.upload['master_key']!, auth: password(alice, again.body['session']) }
      await on.call(alice, 'POST', UPLOAD, body)
      const found = await queryOne(on, alice, alice)
      assert.deepEqual(found['master_keys'], second.upload['master_key'])
      assert.equal(found['self_signing_keys'], undefined)
    })

    it('are taken and signed under the paths from before they were specified, which matrix-js-sdk still asks', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const ask = (path: string, body: JsonObject) =>
        on.server.request('POST', `/_matrix/client/unstable${path}`, { token: alice.token, body })
      const { upload } = makeIdentity(alice)
      assert.equal((await ask(UPLOAD, upload)).status, 200)
      assert.deepEqual((await queryOne(on, alice, alice))['master_keys'], upload['master_key'])
      assert.equal((await ask(UPLOAD, makeIdentity(alice, 11).upload)).status, 401)
      assert.deepEqual((await ask('/keys/signatures/upload', {})).json(), { failures: {} })
    })

    it('let one of two first uploads at once win, not both', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const uploads = [makeIdentity(alice), makeIdentity(alice, 11)].map(({ upload }) => upload)
      const answers = await Promise.all(uploads.map((upload) => on.ask(alice, 'POST', UPLOAD, upload)))
      assert.equal(answers.filter((answer) => answer.status === 200).length, 1)
      const winner = uploads[answers.findIndex((answer) => answer.status === 200)]!
      assert.deepEqual((await queryOne(on, alice, alice))['master_keys'], winner['master_key'])
    })

    it('are refused when malformed, unsigned, wrongly signed or named like a device', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const bob = await on.register('bob')
      const { keys, upload } = makeIdentity(alice)
      const refused = async (body: JsonObject): Promise<unknown[]> => {
        const answer = await on.ask(alice, 'POST', UPLOAD, body)
        return [answer.status, answer.body['errcode']]
      }
      const master = upload['master_key'] as JsonObject
      assert.deepEqual(await refused({}), [400, 'M_MISSING_PARAM'])
      assert.deepEqual(await refused({ self_signing_key: upload['self_signing_key']! }), [
        400,
        'M_MISSING_PARAM',
      ])
      const bad: JsonObject[] = [
        { ...master, user_id: bob.userId },
        { ...master, usage: ['self_signing'] },
        { ...master, keys: {} },
        { ...master, keys: { ...(master['keys'] as JsonObject), 'ed25519:a': 'a' } },
        { ...master, keys: { 'ed25519:other': keys.master.publicKey } },
        { ...master, keys: { 'ed25519:AAAA': 'AAAA' } },
      ]
      for (const key of bad) assert.deepEqual(await refused({ master_key: key }), [400, 'M_BAD_JSON'])
      const unsigned = published(alice, 'self_signing', keys.self_signing)
      const wrong = keys.user_signing.sign(unsigned, keys.master.publicKey)
      for (const key of [unsigned, wrong]) {
        assert.deepEqual(await refused({ ...upload, self_signing_key: key }), [400, 'M_INVALID_SIGNATURE'])
      }
      const device = { type: 'm.login.password', identifier: { type: 'm.id.user', user: alice.userId } }
      const login = { ...device, password: TEST_PASSWORD, device_id: keys.master.publicKey }
      assert.equal((await on.server.request('POST', '/_matrix/client/v3/login', { body: login })).status, 200)
      assert.deepEqual(await refused(upload), [403, 'M_FORBIDDEN'])
    })

    it('lend their names to no device, however it is made', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const { keys, upload } = makeIdentity(alice)
      await on.call(alice, 'POST', UPLOAD, upload)
      const device = { type: 'm.login.password', identifier: { type: 'm.id.user', user: alice.userId } }
      for (const { publicKey } of [keys.master, keys.self_signing]) {
        const body = { ...device, password: TEST_PASSWORD, device_id: publicKey }
        const answer = await on.server.request('POST', '/_matrix/client/v3/login', { body })
        assert.deepEqual([answer.status, answer.json()['errcode']], [403, 'M_FORBIDDEN'])
        assert.match(answer.json()['error'] as string, /cross-signing/)
      }
    })
  })

  describe(`signatures on ${driver.name}`, { skip: driver.skip }, () => {
    it('on own devices and the own master key are seen by everybody who shares a room', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await on.join(bob, await on.createRoom(alice))
      const { keys, upload } = makeIdentity(alice)
      await on.call(alice, 'POST', UPLOAD, upload)
      const deviceKey = makeKey(alice.userId, 50)
      const { deviceId } = alice
      const device = deviceKeysOf(alice, { keys: { [`ed25519:${deviceId}`]: deviceKey.publicKey } })
      await on.call(alice, 'POST', '/keys/upload', { device_keys: device })
      await on.sync(bob)
      const answer = await on.call(alice, 'POST', '/keys/signatures/upload', {
        [alice.userId]: {
          [deviceId]: keys.self_signing.sign({ ...device, signatures: {} }),
          [keys.master.publicKey]: deviceKey.sign(upload['master_key'] as JsonObject, deviceId),
        },
      })
      assert.deepEqual(answer, { failures: {} })
      assert.deepEqual((await on.sync(bob))['device_lists'], { changed: [alice.userId], left: [] })
      const found = await queryOne(on, bob, alice)
      const signers = (key: unknown): string[] =>
        Object.keys(
          (key as Record<string, Record<string, JsonObject>>)['signatures']![alice.userId]!,
        ).toSorted()
      assert.deepEqual(
        signers(found['device_keys']![deviceId]),
        [`ed25519:${deviceId}`, `ed25519:${keys.self_signing.publicKey}`].toSorted(),
      )
      assert.deepEqual(signers(found['master_keys']), [`ed25519:${deviceId}`])
    })

    it('on the master key of others are seen by the signer alone, and told to the signer’s other devices', async () => {
      await using on = await openDevices(driver)
      const [alice, bob, eve] = [
        await on.register('alice'),
        await on.register('bob'),
        await on.register('eve'),
      ]
      const roomId = await on.createRoom(alice)
      for (const device of [bob, eve]) await on.join(device, roomId)
      const [own, bobs] = [makeIdentity(alice), makeIdentity(bob, 11)]
      await on.call(alice, 'POST', UPLOAD, own.upload)
      await on.call(bob, 'POST', UPLOAD, bobs.upload)
      const other = await on.login(alice)
      for (const device of [eve, other]) await on.sync(device)
      const before = other.since
      const signed = own.keys.user_signing.sign(bobs.upload['master_key'] as JsonObject)
      await on.call(alice, 'POST', '/keys/signatures/upload', {
        [bob.userId]: { [bobs.keys.master.publicKey]: signed },
      })
      assert.deepEqual((await queryOne(on, alice, bob))['master_keys'], signed)
      for (const viewer of [bob, eve]) {
        assert.deepEqual((await queryOne(on, viewer, bob))['master_keys'], bobs.upload['master_key'])
      }
      assert.equal((await on.sync(eve))['device_lists'], undefined)
      assert.deepEqual((await on.sync(other))['device_lists'], { changed: [bob.userId], left: [] })
      await on.restart()
      other.since = before
      assert.deepEqual((await on.sync(other))['device_lists'], { changed: [bob.userId], left: [] })
    })

    it('that are wrong, by the wrong key or on something else fail one by one', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const { keys, upload } = makeIdentity(alice)
      await on.call(alice, 'POST', UPLOAD, upload)
      await on.call(bob, 'POST', UPLOAD, makeIdentity(bob, 11).upload)
      await on.publish(bob)
      const device = deviceKeysOf(alice, { signatures: {} })
      await on.call(alice, 'POST', '/keys/upload', { device_keys: device })
      const tryOne = async (userId: string, target: string, object: JsonObject): Promise<unknown> => {
        const answer = await on.call(alice, 'POST', '/keys/signatures/upload', {
          [userId]: { [target]: object },
        })
        const failures = answer['failures'] as Record<string, Record<string, JsonObject>>
        return failures[userId]?.[target]?.['errcode']
      }
      const { deviceId, userId } = alice
      const good = keys.self_signing.sign(device)
      const master = keys.self_signing.publicKey
      assert.equal(await tryOne(userId, deviceId, device), 'M_INVALID_SIGNATURE')
      assert.equal(await tryOne(userId, deviceId, keys.master.sign(device)), 'M_INVALID_SIGNATURE')
      assert.equal(
        await tryOne(userId, deviceId, keys.user_signing.sign(device, master)),
        'M_INVALID_SIGNATURE',
      )
      assert.equal(
        await tryOne(userId, deviceId, keys.self_signing.sign({ ...device, x: 1 })),
        'M_INVALID_SIGNATURE',
      )
      assert.equal(await tryOne(userId, 'NONE', good), 'M_NOT_FOUND')
      assert.equal(await tryOne(bob.userId, bob.deviceId, good), 'M_NOT_FOUND')
      assert.equal(await tryOne('@nobody:test.example', 'A', good), 'M_NOT_FOUND')
      const found = await queryOne(on, alice, alice)
      assert.deepEqual((found['device_keys']![deviceId] as JsonObject)['signatures'], {})
      assert.equal(await tryOne(userId, deviceId, good), undefined)
    })
  })
}
