import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { TEST_PASSWORD, findServerDrivers } from '../test-server.ts'
import { deviceKeysOf, openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'
/** A public Curve25519 key in Base64, as clients name the device. */
const ID = 'zn/S+MRcBM0wC0Uk1bLv4GZOEYSQpjEIyFU0e8Wv3Es'
const OTHER_ID = 'dhg+xpLPVbMnfGJo0b2aVLIv1sOzYVfxcBCAbYoo4Rk'

async function ask(
  on: DeviceServer,
  { token }: TestDevice,
  method: string,
  path = '',
  body?: JsonObject,
): Promise<[number, JsonObject]> {
  const answer: DispatchResponse = await on.server.request(method, PATH + path, {
    token,
    ...(body === undefined ? {} : { body }),
  })
  return [answer.status, answer.json()]
}

const refusal = ([status, { errcode }]: [number, JsonObject]): unknown[] => [status, errcode]

/** What a client uploads; `version` tells one from the other. */
function bodyFor(of: TestDevice, deviceId: string, version: number, more: JsonObject = {}): JsonObject {
  return {
    device_id: deviceId,
    device_data: { algorithm: 'org.matrix.msc3814.v2', nonce: `n${version}`, '\u0000': [1.5, 'ä'] },
    initial_device_display_name: 'Dehydrated device',
    device_keys: deviceKeysOf({ ...of, deviceId }, { dehydrated: true, version }),
    one_time_keys: { [`signed_curve25519:A${version}`]: { key: 'k', signatures: {} } },
    fallback_keys: { 'signed_curve25519:F': { key: `f${version}`, signatures: {} } },
    ...more,
  }
}

async function put(on: DeviceServer, of: TestDevice, deviceId = ID, version = 1): Promise<void> {
  const answer = await ask(on, of, 'PUT', '', bodyFor(of, deviceId, version))
  assert.deepEqual(answer, [200, { device_id: deviceId }])
}

async function keysOf(on: DeviceServer, as: TestDevice, userId: string): Promise<Record<string, JsonObject>> {
  const answer = await on.call(as, 'POST', '/keys/query', { device_keys: { [userId]: [] } })
  return (answer['device_keys'] as Record<string, Record<string, JsonObject>>)[userId]!
}

async function claim(on: DeviceServer, as: TestDevice, userId: string, deviceId: string): Promise<unknown> {
  const wish = { one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } }
  const { one_time_keys: keys } = await on.call(as, 'POST', '/keys/claim', wish)
  const found = (keys as Record<string, Record<string, JsonObject>>)[userId]?.[deviceId] ?? {}
  return Object.keys(found)[0]
}

let transactions = 0
function send(on: DeviceServer, from: TestDevice, to: string, deviceId: string, n: number): Promise<unknown> {
  const messages = { [to]: { [deviceId]: { n } } }
  return on.call(from, 'PUT', `/sendToDevice/org.example.note/d${transactions++}`, { messages })
}

const eventsOf = (deviceId: string): string => `/${encodeURIComponent(deviceId)}/events`
const numbers = ({ events }: JsonObject): unknown[] =>
  (events as JsonObject[]).map((event) => (event['content'] as JsonObject)['n'])

async function deviceIds(on: DeviceServer, of: TestDevice): Promise<string[]> {
  const { devices } = await on.call(of, 'GET', '/devices')
  return (devices as { device_id: string }[]).map((device) => device.device_id).toSorted()
}

for (const driver of await findServerDrivers()) {
  describe(`dehydrated devices on ${driver.name}`, { skip: driver.skip }, () => {
    it('come with their keys and data in one piece, are told to others, and give out their keys', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const room = await on.createRoom(alice)
      await on.join(bob, room)
      await on.sync(bob)
      assert.deepEqual(refusal(await ask(on, alice, 'GET')), [404, 'M_NOT_FOUND'])
      await put(on, alice)
      const { device_lists: lists } = await on.sync(bob)
      assert.deepEqual((lists as JsonObject)['changed'], [alice.userId])
      const { device_keys: keys, device_data: data } = bodyFor(alice, ID, 1)
      assert.deepEqual((await keysOf(on, bob, alice.userId))[ID], {
        ...(keys as JsonObject),
        unsigned: { device_display_name: 'Dehydrated device' },
      })
      assert.deepEqual(await ask(on, alice, 'GET'), [200, { device_id: ID, device_data: data }])
      assert.deepEqual(refusal(await ask(on, bob, 'GET')), [404, 'M_NOT_FOUND'])
      const claims = []
      for (let turn = 0; turn < 3; turn++) claims.push(await claim(on, bob, alice.userId, ID))
      assert.deepEqual(claims, ['signed_curve25519:A1', 'signed_curve25519:F', 'signed_curve25519:F'])
      assert.deepEqual(await deviceIds(on, alice), [alice.deviceId, ID].toSorted())
    })

    it('are replaced whole, under a new id or the same: keys, data and messages of the old one are gone', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await put(on, alice, ID, 1)
      await send(on, alice, alice.userId, ID, 1)
      await put(on, alice, ID, 2)
      assert.deepEqual(numbers((await ask(on, alice, 'GET', eventsOf(ID)))[1]), [])
      assert.equal(await claim(on, alice, alice.userId, ID), 'signed_curve25519:A2')
      assert.equal((await keysOf(on, alice, alice.userId))[ID]!['version'], 2)
      await send(on, alice, alice.userId, ID, 2)
      await put(on, alice, OTHER_ID, 3)
      assert.deepEqual(Object.keys(await keysOf(on, alice, alice.userId)), [OTHER_ID])
      assert.equal(await claim(on, alice, alice.userId, ID), undefined)
      assert.deepEqual(refusal(await ask(on, alice, 'GET', eventsOf(ID))), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await deviceIds(on, alice), [alice.deviceId, OTHER_ID].toSorted())
      // Of many at once one is left, whole.
      const versions = [4, 5, 6, 7]
      const answers = await Promise.all(
        versions.map((version) => ask(on, alice, 'PUT', '', bodyFor(alice, `DEV${version}`, version))),
      )
      assert.ok(answers.some(([status]) => status === 200))
      const [, { device_id: left, device_data: data }] = await ask(on, alice, 'GET')
      const keys = await keysOf(on, alice, alice.userId)
      assert.deepEqual(Object.keys(keys), [left])
      const { version } = keys[left as string] as { version: number }
      assert.equal((data as JsonObject)['nonce'], `n${version}`)
      assert.equal(await claim(on, alice, alice.userId, left as string), `signed_curve25519:A${version}`)
    })

    it('keep their messages while they are read, in pages, over a restart, until they end', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await put(on, alice)
      for (let n = 0; n < 5; n++) await send(on, bob, alice.userId, n === 2 ? '*' : ID, n)
      const [, first] = await ask(on, alice, 'GET', `${eventsOf(ID)}?limit=3`)
      assert.deepEqual((first['events'] as JsonObject[])[0], {
        type: 'org.example.note',
        sender: bob.userId,
        content: { n: 0 },
      })
      await on.restart()
      const rest = `${eventsOf(ID)}?limit=3&from=${first['next_batch'] as string}`
      const [, second] = await ask(on, alice, 'GET', rest)
      assert.deepEqual([...numbers(first), ...numbers(second)], [0, 1, 2, 3, 4])
      assert.equal(second['next_batch'], undefined)
      const posted: unknown[] = []
      let from: JsonObject = {}
      for (;;) {
        const [, page] = await ask(on, alice, 'POST', `${eventsOf(ID)}?limit=2`, from)
        if (numbers(page).length === 0) break
        posted.push(...numbers(page))
        from = { next_batch: page['next_batch']! }
      }
      assert.deepEqual(posted, [0, 1, 2, 3, 4])
      // A page that ends with the last message says that it does.
      const [, all] = await ask(on, alice, 'GET', `${eventsOf(ID)}?limit=5`)
      assert.deepEqual([numbers(all), all['next_batch']], [[0, 1, 2, 3, 4], undefined])

      await on.sync(bob)
      assert.deepEqual(await ask(on, alice, 'DELETE'), [200, { device_id: ID }])
      assert.deepEqual(refusal(await ask(on, alice, 'DELETE')), [404, 'M_NOT_FOUND'])
      assert.deepEqual(refusal(await ask(on, alice, 'GET', eventsOf(ID))), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await keysOf(on, bob, alice.userId), {})
      assert.deepEqual(await deviceIds(on, alice), [alice.deviceId])
    })

    it('are read by nobody else, and by no token of an earlier device', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await put(on, alice)
      await put(on, bob, OTHER_ID)
      await send(on, bob, alice.userId, ID, 1)
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? {} : undefined
        assert.deepEqual(refusal(await ask(on, bob, method, eventsOf(ID), body)), [403, 'M_FORBIDDEN'])
        const own = await ask(on, alice, method, eventsOf(alice.deviceId), body)
        assert.deepEqual(refusal(own), [403, 'M_FORBIDDEN'])
      }
      for (const from of ['x', 'd', 'd-1', `d${'9'.repeat(40)}`]) {
        const answer = await ask(on, alice, 'GET', `${eventsOf(ID)}?from=${from}`)
        assert.deepEqual(refusal(answer), [400, 'M_INVALID_PARAM'])
      }
    })

    it('are refused without their keys, with those of another, under the id of a login, or too large', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await put(on, alice)
      const { device_keys: _, ...bare } = bodyFor(alice, OTHER_ID, 2)
      const refused: (readonly [JsonObject, number, string])[] = [
        [bare, 400, 'M_BAD_JSON'],
        [{ ...bodyFor(alice, OTHER_ID, 2), device_id: 'ELSE' }, 400, 'M_BAD_JSON'],
        [{ ...bodyFor(alice, OTHER_ID, 2), device_data: {} }, 400, 'M_BAD_JSON'],
        [bodyFor({ ...alice, userId: '@bob:test.example' }, OTHER_ID, 2), 400, 'M_BAD_JSON'],
        [bodyFor(alice, alice.deviceId, 2), 400, 'M_INVALID_PARAM'],
        [
          bodyFor(alice, OTHER_ID, 2, { device_data: { algorithm: 'a', long: 'x'.repeat(100_000) } }),
          413,
          'M_TOO_LARGE',
        ],
      ]
      for (const [body, status, errcode] of refused) {
        assert.deepEqual(refusal(await ask(on, alice, 'PUT', '', body)), [status, errcode])
      }
      assert.equal((await ask(on, alice, 'GET'))[1]['device_id'], ID)
      assert.equal((await keysOf(on, alice, alice.userId))[ID]!['version'], 1)
    })

    it('stay when logins end and when the password changes, and go with all devices, by their id, with the account', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const left = async (as: TestDevice): Promise<number> => (await ask(on, as, 'GET'))[0]
      const auth = (of: TestDevice, password = TEST_PASSWORD): JsonObject => ({
        auth: { type: 'm.login.password', identifier: { type: 'm.id.user', user: of.userId }, password },
      })
      await put(on, alice)
      await send(on, alice, alice.userId, ID, 1)
      await on.call(alice, 'POST', '/logout')
      const second = await on.login(alice)
      await on.call(second, 'POST', '/account/password', {
        ...auth(alice),
        new_password: `${TEST_PASSWORD}!`,
      })
      await on.call(second, 'POST', '/account/password', {
        ...auth(alice, `${TEST_PASSWORD}!`),
        new_password: TEST_PASSWORD,
      })
      assert.deepEqual(numbers((await ask(on, second, 'GET', eventsOf(ID)))[1]), [1])
      await on.call(second, 'DELETE', `/devices/${encodeURIComponent(ID)}`, auth(alice))
      assert.equal(await left(second), 404)
      await put(on, second)
      await on.call(second, 'POST', '/logout/all')
      const third = await on.login(alice)
      assert.equal(await left(third), 404)
      assert.deepEqual(await deviceIds(on, third), [third.deviceId])
      await put(on, third)
      await on.call(third, 'POST', '/account/deactivate', auth(alice))
      const bob = await on.register('bob')
      assert.deepEqual(await keysOf(on, bob, alice.userId), {})
      const tables = ['dehydrated_devices', 'devices', 'one_time_keys', 'fallback_keys', 'to_device']
      for (const table of tables) {
        const sql = `SELECT count(*) AS n FROM ${table} WHERE user_id = ?`
        assert.deepEqual(await on.server.hs.db.query(sql, [alice.userId]), [{ n: 0 }], table)
      }
    })

    it('are no logins: whoever logs in under the id has a device like others', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await put(on, alice)
      const answer = await on.server.request('POST', '/_matrix/client/v3/login', {
        body: {
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: alice.userId },
          password: TEST_PASSWORD,
          device_id: ID,
        },
      })
      assert.equal(answer.status, 200)
      assert.deepEqual(refusal(await ask(on, alice, 'GET')), [404, 'M_NOT_FOUND'])
      assert.deepEqual(refusal(await ask(on, alice, 'PUT', '', bodyFor(alice, ID, 2))), [
        400,
        'M_INVALID_PARAM',
      ])
    })
  })
}
