import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { deviceKeysOf, openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

const ALGORITHM = 'signed_curve25519'

function oneTimeKey(key: string, more: JsonObject = {}): JsonObject {
  return { key, signatures: { '@alice:test.example': { 'ed25519:A': 'sig' } }, ...more }
}

function upload(on: DeviceServer, as: TestDevice, names: readonly string[]): Promise<JsonObject> {
  const keys = names.map((name) => [`${ALGORITHM}:${name}`, oneTimeKey(name)])
  return on.call(as, 'POST', '/keys/upload', { one_time_keys: Object.fromEntries(keys) })
}

/** The key ids that a claim of one key of `of` gives. */
async function claim(on: DeviceServer, as: TestDevice, of: TestDevice): Promise<string[]> {
  const wish = { [of.userId]: { [of.deviceId]: ALGORITHM } }
  const answer = await on.call(as, 'POST', '/keys/claim', { one_time_keys: wish })
  const users = answer['one_time_keys'] as Record<string, Record<string, JsonObject>>
  return Object.keys(users[of.userId]?.[of.deviceId] ?? {})
}

async function counts(on: DeviceServer, as: TestDevice): Promise<unknown[]> {
  const answer = await on.sync(as)
  return [answer['device_one_time_keys_count'], answer['device_unused_fallback_key_types']]
}

async function query(on: DeviceServer, as: TestDevice, users: JsonObject): Promise<JsonObject> {
  return on.call(as, 'POST', '/keys/query', { device_keys: users })
}

for (const driver of await findServerDrivers()) {
  describe(`device keys on ${driver.name}`, { skip: driver.skip }, () => {
    it('are told to whoever asks, as they were uploaded, with the name of the device', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const keys = deviceKeysOf(alice, { '': { '\n': [1, 'ä'] } })
      await on.call(alice, 'POST', '/keys/upload', { device_keys: { ...keys, unsigned: { x: 1 } } })
      await on.call(alice, 'PUT', `/devices/${alice.deviceId}`, { display_name: 'Phone' })
      const other = await on.login(alice)
      await on.publish(other)
      const all = (await query(on, bob, { [alice.userId]: [] }))['device_keys'] as Record<string, JsonObject>
      assert.deepEqual(all[alice.userId]![alice.deviceId], {
        ...keys,
        unsigned: { device_display_name: 'Phone' },
      })
      assert.deepEqual(
        Object.keys(all[alice.userId]!).toSorted(),
        [alice.deviceId, other.deviceId].toSorted(),
      )
      const users = { [alice.userId]: [other.deviceId, 'NONE'], [bob.userId]: [], '@eve:other.example': [] }
      const some = await query(on, bob, users)
      const found = some['device_keys'] as Record<string, JsonObject>
      assert.deepEqual(Object.keys(found[alice.userId]!), [other.deviceId])
      assert.deepEqual(found[bob.userId], {})
      assert.equal(found['@eve:other.example'], undefined)
      assert.deepEqual(Object.keys(some['failures'] as JsonObject), ['other.example'])
    })

    it('are refused when malformed, or of another device or user', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const refused = async (body: JsonObject): Promise<unknown[]> => {
        const answer = await on.ask(alice, 'POST', '/keys/upload', body)
        return [answer.status, answer.body['errcode']]
      }
      const keys = deviceKeysOf(alice)
      const bad: JsonObject[] = [
        { device_keys: deviceKeysOf(bob) },
        { device_keys: { ...keys, device_id: 'OTHER' } },
        { device_keys: { user_id: alice.userId, device_id: alice.deviceId } },
        { device_keys: { ...keys, keys: { 'a\nb': 1 } } },
        { device_keys: { ...keys, signatures: { [alice.userId]: 'x' } } },
        { device_keys: { ...keys, more: 0.5 } },
        { device_keys: { ...keys, more: 'x'.repeat(20_001) } },
        { one_time_keys: { nocolon: 'x' } },
        { one_time_keys: { [`${ALGORITHM}:a`]: { signatures: {} } } },
        { one_time_keys: { [`${ALGORITHM}:a`]: { key: 'x', more: 'x'.repeat(5_000) } } },
        { fallback_keys: { [`${ALGORITHM}:a`]: oneTimeKey('a'), [`${ALGORITHM}:b`]: oneTimeKey('b') } },
      ]
      for (const body of bad) assert.deepEqual(await refused(body), [400, 'M_BAD_JSON'], JSON.stringify(body))
      const asObject = { device_keys: { [bob.userId]: { A: true } } }
      assert.equal((await on.ask(alice, 'POST', '/keys/query', asObject)).body['errcode'], 'M_BAD_JSON')
    })
  })

  describe(`one-time keys on ${driver.name}`, { skip: driver.skip }, () => {
    it('are counted in the answer and in every sync, none as 0', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 0 }, []])
      const answer = await upload(on, alice, ['a', 'b'])
      assert.deepEqual(answer, { one_time_key_counts: { [ALGORITHM]: 2 } })
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 2 }, []])
      await claim(on, alice, alice)
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 1 }, []])
      assert.deepEqual(await on.call(alice, 'POST', '/keys/upload', {}), {
        one_time_key_counts: { [ALGORITHM]: 1 },
      })
    })

    it('may be uploaded again, but not another one under the same id', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await upload(on, alice, ['a', 'b'])
      assert.deepEqual(await upload(on, alice, ['b', 'a', 'c']), { one_time_key_counts: { [ALGORITHM]: 3 } })
      const body = {
        one_time_keys: { [`${ALGORITHM}:a`]: oneTimeKey('other'), [`${ALGORITHM}:d`]: oneTimeKey('d') },
      }
      const answer = await on.ask(alice, 'POST', '/keys/upload', body)
      assert.deepEqual([answer.status, answer.body['errcode']], [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 3 }, []])
    })

    it('are bounded in number', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const names = (prefix: string, count: number): string[] =>
        Array.from({ length: count }, (_, n) => `${prefix}${n}`)
      await upload(on, alice, names('a', 900))
      const keys = Object.fromEntries(
        names('b', 101).map((name) => [`${ALGORITHM}:${name}`, oneTimeKey(name)]),
      )
      const answer = await on.ask(alice, 'POST', '/keys/upload', { one_time_keys: keys })
      assert.deepEqual([answer.status, answer.body['errcode']], [400, 'M_RESOURCE_LIMIT_EXCEEDED'])
    })

    it('are handed out once each, the oldest upload first', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await upload(on, alice, ['z'])
      while (on.server.hs.clock.now() === (await newestUpload(on))) await on.sync(bob)
      await upload(on, alice, ['a'])
      assert.deepEqual(await claim(on, bob, alice), [`${ALGORITHM}:z`])
      assert.deepEqual(await claim(on, bob, alice), [`${ALGORITHM}:a`])
      assert.deepEqual(await claim(on, bob, alice), [])
    })

    it('are never handed out twice, however many claim at once', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const names = Array.from({ length: 40 }, (_, n) => `k${n}`)
      await upload(on, alice, names)
      const claimed = await Promise.all(Array.from({ length: 50 }, () => claim(on, bob, alice)))
      const ids = claimed.flat()
      assert.deepEqual([ids.length, new Set(ids).size], [40, 40])
    })

    it('are followed by the fallback key, which is told as used from then on', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      const fallback = { [`${ALGORITHM}:f`]: oneTimeKey('f', { fallback: true }) }
      await on.call(alice, 'POST', '/keys/upload', { fallback_keys: fallback })
      await upload(on, alice, ['a'])
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 1 }, [ALGORITHM]])
      assert.deepEqual(await claim(on, bob, alice), [`${ALGORITHM}:a`])
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 0 }, [ALGORITHM]])
      for (const _ of [1, 2]) assert.deepEqual(await claim(on, bob, alice), [`${ALGORITHM}:f`])
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 0 }, []])
      await on.call(alice, 'POST', '/keys/upload', { fallback_keys: fallback })
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 0 }, []])
      const other = { [`${ALGORITHM}:g`]: oneTimeKey('g', { fallback: true }) }
      await on.call(alice, 'POST', '/keys/upload', { fallback_keys: other })
      assert.deepEqual(await counts(on, alice), [{ [ALGORITHM]: 0 }, [ALGORITHM]])
      assert.deepEqual(await claim(on, bob, alice), [`${ALGORITHM}:g`])
    })

    it('go with their device', async () => {
      await using on = await openDevices(driver)
      const [alice, bob] = [await on.register('alice'), await on.register('bob')]
      await upload(on, alice, ['a'])
      await on.call(alice, 'POST', '/logout', {})
      assert.deepEqual(await claim(on, bob, alice), [])
    })
  })
}

async function newestUpload(on: DeviceServer): Promise<number> {
  const rows = await on.server.hs.db.query<{ ts: number }>(
    'SELECT max(uploaded_ts) AS ts FROM one_time_keys',
    [],
  )
  return rows[0]!.ts
}
