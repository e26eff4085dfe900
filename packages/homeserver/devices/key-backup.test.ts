import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2'
const VERSION = '/room_keys/version'
const ROOM = '!r:test.example'
const room = encodeURIComponent(ROOM)

function key(first = 1, more: JsonObject = {}): JsonObject {
  return {
    first_message_index: first,
    forwarded_count: 0,
    is_verified: false,
    session_data: { c: 'x' },
    ...more,
  }
}

function keysOf(count: number, prefix = 's'): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, key(n)]))
}

async function makeBackup(on: DeviceServer, as: TestDevice): Promise<string> {
  const body = { algorithm: ALGORITHM, auth_data: { public_key: 'abc' } }
  return (await on.call(as, 'POST', VERSION, body))['version'] as string
}

const inVersion = (path: string, version: string): string => `/room_keys/keys${path}?version=${version}`

for (const driver of await findServerDrivers()) {
  describe(`key backups on ${driver.name}`, { skip: driver.skip }, () => {
    it('are made, described, changed and deleted version by version', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      assert.equal((await on.ask(alice, 'GET', VERSION)).body['errcode'], 'M_NOT_FOUND')
      const first = await makeBackup(on, alice)
      const second = await makeBackup(on, alice)
      assert.notEqual(first, second)
      assert.equal((await on.call(alice, 'GET', VERSION))['version'], second)
      const changed = { algorithm: ALGORITHM, auth_data: { public_key: 'new' }, version: first }
      await on.call(alice, 'PUT', `${VERSION}/${first}`, changed)
      assert.deepEqual(await on.call(alice, 'GET', `${VERSION}/${first}`), {
        algorithm: ALGORITHM,
        auth_data: { public_key: 'new' },
        count: 0,
        etag: '0',
        version: first,
      })
      for (const bad of [
        { ...changed, version: second },
        { ...changed, algorithm: 'other' },
      ]) {
        const answer = await on.ask(alice, 'PUT', `${VERSION}/${first}`, bad)
        assert.deepEqual([answer.status, answer.body['errcode']], [400, 'M_INVALID_PARAM'])
      }
      for (const _ of [1, 2]) await on.call(alice, 'DELETE', `${VERSION}/${second}`)
      assert.equal((await on.call(alice, 'GET', VERSION))['version'], first)
      for (const gone of [second, '99', 'x', '0']) {
        assert.equal((await on.ask(alice, 'GET', `${VERSION}/${gone}`)).status, 404)
      }
      assert.equal((await on.ask(alice, 'DELETE', `${VERSION}/99`)).status, 404)
      assert.ok(Number(await makeBackup(on, alice)) > Number(second), 'a version is never used again')
      const bob = await on.register('bob')
      assert.equal((await on.ask(bob, 'GET', `${VERSION}/${first}`)).status, 404)
    })

    it('take keys singly, by room and all at once, and give them back the same ways', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      const put = (path: string, body: JsonObject): Promise<JsonObject> =>
        on.call(alice, 'PUT', inVersion(path, version), body)
      const slashed = encodeURIComponent('a/b+c')
      assert.deepEqual(await put(`/${room}/${slashed}`, key(7)), { etag: '1', count: 1 })
      assert.deepEqual(await put(`/${room}`, { sessions: { s1: key(1), s2: key(2) } }), {
        etag: '2',
        count: 3,
      })
      assert.deepEqual(
        await put('', { rooms: { '!q': { sessions: { s3: key(3) } }, '!e': { sessions: {} } } }),
        {
          etag: '3',
          count: 4,
        },
      )
      const get = (path: string): Promise<JsonObject> => on.call(alice, 'GET', inVersion(path, version))
      const sessions = { 'a/b+c': key(7), s1: key(1), s2: key(2) }
      assert.deepEqual(await get(`/${room}/${slashed}`), key(7))
      assert.deepEqual(await get(`/${room}`), { sessions })
      assert.deepEqual(await get('/!none'), { sessions: {} })
      assert.deepEqual(await get(''), { rooms: { [ROOM]: { sessions }, '!q': { sessions: { s3: key(3) } } } })
      assert.equal((await on.ask(alice, 'GET', inVersion(`/${room}/none`, version))).status, 404)
      assert.equal((await on.ask(alice, 'GET', inVersion('', '9'))).status, 404)
      assert.equal((await on.ask(alice, 'GET', '/room_keys/keys')).body['errcode'], 'M_MISSING_PARAM')
    })

    it('keep the better of two keys, and change the etag only when they change', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      const path = inVersion(`/${room}/s`, version)
      const put = async (body: JsonObject): Promise<unknown> =>
        (await on.call(alice, 'PUT', path, body))['etag']
      assert.equal(await put(key(10, { forwarded_count: 5 })), '1')
      assert.equal(await put(key(10, { forwarded_count: 5, session_data: { c: 'other' } })), '1')
      assert.equal(await put(key(11, { forwarded_count: 0 })), '1')
      assert.equal(await put(key(10, { forwarded_count: 6 })), '1')
      assert.equal(await put(key(10, { forwarded_count: 4 })), '2')
      assert.equal(await put(key(9, { forwarded_count: 9 })), '3')
      assert.equal(await put(key(20, { is_verified: true })), '4')
      assert.equal(await put(key(1)), '4')
      assert.deepEqual(await on.call(alice, 'GET', path), key(20, { is_verified: true }))
      assert.equal((await on.call(alice, 'GET', VERSION))['count'], 1)
    })

    it('take keys for the current version only, and say which it is', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const path = (version: string): string => inVersion(`/${room}/s`, version)
      assert.equal((await on.ask(alice, 'PUT', path('1'), key())).status, 404)
      const first = await makeBackup(on, alice)
      const second = await makeBackup(on, alice)
      const answer = await on.ask(alice, 'PUT', path(first), key())
      assert.deepEqual(
        [answer.status, answer.body['errcode'], answer.body['current_version']],
        [403, 'M_WRONG_ROOM_KEYS_VERSION', second],
      )
    })

    it('lose keys singly, by room and all at once', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      const rooms = {
        '!a': { sessions: keysOf(3) },
        '!b': { sessions: keysOf(2) },
        '!c': { sessions: keysOf(4) },
      }
      await on.call(alice, 'PUT', inVersion('', version), { rooms })
      const remove = (path: string): Promise<JsonObject> => on.call(alice, 'DELETE', inVersion(path, version))
      assert.deepEqual(await remove('/!a/s1'), { etag: '2', count: 8 })
      assert.deepEqual(await remove('/!a/s1'), { etag: '2', count: 8 })
      assert.deepEqual(await remove('/!b'), { etag: '3', count: 6 })
      assert.deepEqual(await on.call(alice, 'GET', inVersion('/!a', version)), {
        sessions: { s0: key(0), s2: key(2) },
      })
      assert.deepEqual(await remove(''), { etag: '4', count: 0 })
      assert.deepEqual(await on.call(alice, 'GET', inVersion('', version)), { rooms: {} })
    })

    it('count right when many write at once', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      const puts = Array.from({ length: 8 }, (_, n) =>
        on.call(alice, 'PUT', inVersion(`/${room}`, version), { sessions: keysOf(5, `w${n % 4}-`) }),
      )
      await Promise.all(puts)
      assert.equal((await on.call(alice, 'GET', VERSION))['count'], 20)
    })

    it('of many thousand keys are stored, given back and deleted in portions', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      for (const name of ['!a', '!b', '!c']) {
        await on.call(alice, 'PUT', inVersion(`/${name}`, version), { sessions: keysOf(1_700) })
      }
      const all = (await on.call(alice, 'GET', inVersion('', version)))['rooms'] as Record<string, JsonObject>
      assert.deepEqual(Object.keys(all), ['!a', '!b', '!c'])
      for (const { sessions } of Object.values(all)) assert.deepEqual(sessions, keysOf(1_700))
      assert.deepEqual((await on.call(alice, 'GET', inVersion('/!b', version)))['sessions'], keysOf(1_700))
      assert.equal((await on.call(alice, 'DELETE', inVersion('/!b', version)))['count'], 3_400)
      await on.call(alice, 'DELETE', `${VERSION}/${version}`)
      const left = await on.server.hs.db.query('SELECT session_id FROM key_backup_sessions LIMIT 1', [])
      assert.deepEqual(left, [])
    })

    it('refuse what is malformed or too large', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const version = await makeBackup(on, alice)
      const bad: JsonObject[] = [
        {},
        key(-1),
        key(1e300),
        key(0.5),
        key(1, { is_verified: 1 }),
        key(1, { session_data: 'x' }),
        key(1, { session_data: { c: 'x'.repeat(17_000) } }),
      ]
      for (const body of bad) {
        const answer = await on.ask(alice, 'PUT', inVersion(`/${room}/s`, version), body)
        assert.deepEqual([answer.status, answer.body['errcode']], [400, 'M_BAD_JSON'], JSON.stringify(body))
      }
      const sessions = { 'a\nb': { ...key(), is_verified: 'no' } }
      const answer = await on.ask(alice, 'PUT', inVersion(`/${room}`, version), { sessions })
      assert.equal(answer.status, 400)
    })
  })
}
