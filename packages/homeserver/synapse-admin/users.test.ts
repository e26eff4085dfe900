import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { findServerDrivers, TEST_PASSWORD, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent
const at = (version: string, name: string, rest = ''): string => `/${version}/users/${segment(name)}${rest}`

for (const driver of await findServerDrivers()) {
  describe(`Synapse’s interface: users, on ${driver.name}`, { skip: driver.skip }, () => {
    let world: AdminWorld
    let alice: TestLogin
    let bob: TestLogin
    before(async () => {
      world = await openAdminWorld(driver)
      alice = await world.server.register('alice')
      bob = await world.server.register('bob')
      for (const [who, name] of [
        [alice, 'Alice 100%'],
        [bob, 'Robert "Bob"'],
      ] as const) {
        await world.client(who, 'PUT', `/profile/${segment(who.userId)}/displayname`, { displayname: name })
      }
    })
    after(() => world[Symbol.asyncDispose]())

    const names = (answer: JsonObject): string[] =>
      (answer['users'] as { name: string }[]).map(({ name }) => name.slice(1).split(':')[0]!)
    const list = async (query: string, version = 'v2'): Promise<string[]> =>
      names(await world.ask('GET', `/${version}/users?${query}`))
    const login = (name: string, password: string) =>
      world.server.request('POST', '/_matrix/client/v3/login', {
        body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, password },
      })

    it('says what server this is to whoever asks', async () => {
      const answer = await world.server.request('GET', '/_synapse/admin/v1/server_version')
      assert.match(answer.json()['server_version'] as string, /^Causeway \d/)
    })

    it('lists accounts: in pages, searched, in any order', async () => {
      const all = await world.ask('GET', '/v2/users')
      assert.deepEqual(
        [names(all), all['total'], all['next_token']],
        [['alice', 'bob', 'root'], 3, undefined],
      )
      const [first] = all['users'] as JsonObject[]
      assert.deepEqual(Object.keys(first!).toSorted(), [
        'admin',
        'avatar_url',
        'creation_ts',
        'deactivated',
        'displayname',
        'erased',
        'is_guest',
        'last_seen_ts',
        'locked',
        'name',
        'shadow_banned',
        'user_type',
      ])
      assert.deepEqual([first!['displayname'], first!['admin']], ['Alice 100%', false])
      const page = await world.ask('GET', '/v2/users?limit=2')
      assert.deepEqual([names(page), page['total'], page['next_token']], [['alice', 'bob'], 3, '2'])
      const last = await world.ask('GET', '/v2/users?from=2&limit=2')
      assert.deepEqual([names(last), last['next_token']], [['root'], undefined])
      assert.deepEqual(await list('name=ALI'), ['alice'])
      assert.deepEqual(await list('name=robert'), ['bob'])
      assert.deepEqual(await list(`name=${segment('"bob"')}`), ['bob'])
      assert.deepEqual(await list(`name=${segment('0%')}`), ['alice'], 'a percent sign is one')
      assert.deepEqual(await list('name=example'), [], 'the name of the server is no part of a name')
      assert.deepEqual(await list('user_id=b:test'), ['bob'])
      assert.deepEqual(await list('admins=true'), ['root'])
      assert.deepEqual(await list('admins=false'), ['alice', 'bob'])
      assert.deepEqual(await list('guests=false'), ['alice', 'bob', 'root'])
      assert.deepEqual(await list('not_user_type='), [])
      assert.deepEqual(await list('dir=b'), ['root', 'bob', 'alice'])
      for (const order of ['displayname', 'avatar_url', 'is_guest', 'admin', 'user_type', 'deactivated']) {
        assert.equal((await list(`order_by=${order}`)).length, 3, order)
      }
      assert.deepEqual(await list('order_by=displayname&dir=b'), ['root', 'bob', 'alice'])
      assert.deepEqual(await list('order_by=admin&dir=b'), ['root', 'alice', 'bob'])
      assert.deepEqual(await list('order_by=shadow_banned&dir=b'), ['alice', 'bob', 'root'])
      for (const order of ['creation_ts', 'last_seen_ts', 'locked']) {
        assert.equal((await list(`order_by=${order}`)).length, 3, order)
      }
      assert.equal(await world.refusal('GET', '/v2/users?order_by=shoe_size'), '400 M_INVALID_PARAM')
      assert.equal(await world.refusal('GET', '/v2/users?limit=-1'), '400 M_INVALID_PARAM')
    })

    it('shows an account, and refuses others', async () => {
      const shown = await world.ask('GET', at('v2', alice.userId))
      const { creation_ts: created, last_seen_ts: seen, ...rest } = shown
      assert.ok((created as number) < 100_000_000_000, 'seconds')
      assert.ok((seen as number) > 100_000_000_000, 'milliseconds')
      assert.deepEqual(rest, {
        name: alice.userId,
        displayname: 'Alice 100%',
        avatar_url: null,
        threepids: [],
        external_ids: [],
        is_guest: false,
        admin: false,
        deactivated: false,
        erased: false,
        locked: false,
        suspended: false,
        shadow_banned: false,
        user_type: null,
        appservice_id: null,
        consent_server_notice_sent: null,
        consent_version: null,
        consent_ts: null,
      })
      assert.equal(await world.refusal('GET', at('v2', '@nobody:test.example')), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('GET', at('v2', '@x:elsewhere.example')), '400 M_INVALID_PARAM')
      assert.equal(await world.refusal('GET', at('v2', 'alice')), '400 M_INVALID_PARAM')
    })

    it('makes an account, and changes what is to be other than it is', async () => {
      const userId = '@carol:test.example'
      const made = await world.server.request('PUT', `/_synapse/admin${at('v2', userId)}`, {
        token: world.root.token,
        body: {
          password: 'her own password',
          displayname: 'Carol',
          avatar_url: 'mxc://test.example/face',
          threepids: [
            { medium: 'email', address: 'Carol@Example.org' },
            { medium: 'msisdn', address: '+49 151 23456789' },
          ],
        },
      })
      assert.equal(made.status, 201)
      const body = made.json()
      assert.deepEqual([body['displayname'], body['avatar_url']], ['Carol', 'mxc://test.example/face'])
      assert.equal((body['threepids'] as JsonObject[])[0]!['address'], 'carol@example.org')
      assert.equal((await login('carol', 'her own password')).status, 200)
      assert.deepEqual(await world.ask('GET', `/v1/threepid/email/users/${segment('carol@example.org')}`), {
        user_id: userId,
      })
      assert.equal((body['threepids'] as JsonObject[])[1]!['address'], '4915123456789')
      assert.deepEqual(await world.ask('GET', '/v1/threepid/msisdn/users/4915123456789'), { user_id: userId })
      assert.equal(await world.refusal('GET', '/v1/threepid/msisdn/users/4915123456780'), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('GET', '/v1/threepid/fax/users/4915123456789'), '404 M_NOT_FOUND')

      // As the admin page sends it: all of it, with some things changed.
      const again = { ...body, displayname: 'Caroline', threepids: [], locked: true }
      const changed = await world.ask('PUT', at('v2', userId), again)
      assert.deepEqual(
        [changed['displayname'], changed['threepids'], changed['locked'], changed['admin']],
        ['Caroline', [], true, false],
      )
      assert.deepEqual(await list('name=carol'), [], 'locked accounts are left out')
      assert.deepEqual(await list('name=carol&locked=true'), ['carol'])
      await world.ask('PUT', at('v2', userId), { locked: false, password: 'another password', admin: true })
      assert.equal((await login('carol', 'her own password')).status, 403)
      assert.equal((await login('carol', 'another password')).status, 200)
      assert.deepEqual(await world.ask('GET', at('v1', userId, '/admin')), { admin: true })
      await world.ask('PUT', at('v1', userId, '/admin'), { admin: false })
      assert.deepEqual(await world.ask('GET', at('v1', userId, '/admin')), { admin: false })
    })

    it('refuses what it does not have, and what somebody could not take back', async () => {
      const put = (name: string, body: JsonObject) => world.refusal('PUT', at('v2', name), body)
      const { userId: root } = world.root
      assert.equal(await put(alice.userId, { user_type: 'bot' }), '400 M_INVALID_PARAM')
      assert.equal(
        await put(alice.userId, { external_ids: [{ auth_provider: 'x', external_id: 'y' }] }),
        '400 M_INVALID_PARAM',
      )
      assert.equal(await put('@Dave:test.example', {}), '400 M_INVALID_PARAM')
      assert.equal(await put('@dave:test.example', { password: 'x' }), '400 M_WEAK_PASSWORD')
      assert.equal(
        await put(alice.userId, { threepids: [{ medium: 'msisdn', address: 'no number' }] }),
        '400 M_INVALID_PARAM',
      )
      assert.equal(
        await put(alice.userId, { threepids: [{ medium: 'fax', address: '4915123456789' }] }),
        '400 M_THREEPID_MEDIUM_NOT_SUPPORTED',
      )
      await world.ask('PUT', at('v2', bob.userId), {
        threepids: [{ medium: 'email', address: 'bob@example.org' }],
      })
      assert.equal(
        await put(alice.userId, { threepids: [{ medium: 'email', address: 'bob@example.org' }] }),
        '400 M_THREEPID_IN_USE',
      )
      assert.equal(await put(root, { locked: true }), '403 M_FORBIDDEN')
      assert.equal(await put(root, { admin: false }), '403 M_FORBIDDEN')
      assert.equal(await put(root, { deactivated: true }), '403 M_FORBIDDEN')
      assert.equal(
        await world.refusal('PUT', at('v1', root, '/admin'), { admin: false }),
        '400 M_INVALID_PARAM',
      )
      assert.equal(await world.refusal('POST', `/v1/deactivate/${segment(root)}`, {}), '403 M_FORBIDDEN')
      assert.equal(
        await world.refusal('PUT', `/v1/suspend/${segment(root)}`, { suspend: true }),
        '403 M_FORBIDDEN',
      )
    })

    it('suspends, and takes it back', async () => {
      const path = `/v1/suspend/${segment(alice.userId)}`
      const key = `user_${alice.userId}_suspended`
      assert.deepEqual(await world.ask('PUT', path, { suspend: true }), { [key]: true })
      const create = () =>
        world.server.request('POST', '/_matrix/client/v3/createRoom', { token: alice.token, body: {} })
      assert.equal((await create()).json()['errcode'], 'M_USER_SUSPENDED')
      assert.equal((await world.ask('GET', at('v2', alice.userId)))['suspended'], true)
      assert.deepEqual(await world.ask('PUT', path, { suspend: false }), { [key]: false })
      assert.equal((await create()).status, 200)
    })

    it('ends an account, erases it afterwards, and does not bring it back', async () => {
      const eve = await world.server.register('eve')
      const { userId } = eve
      const path = `/v1/deactivate/${segment(userId)}`
      assert.deepEqual(await world.ask('POST', path), { id_server_unbind_result: 'success' })
      const shown = await world.ask('GET', at('v2', userId))
      assert.deepEqual([shown['deactivated'], shown['erased']], [true, false])
      assert.equal(
        (await world.server.request('GET', '/_matrix/client/v3/account/whoami', { token: eve.token })).status,
        401,
      )
      assert.deepEqual(await list('name=eve'), [])
      assert.deepEqual(await list('name=eve&deactivated=true'), ['eve'])
      assert.deepEqual(await list('name=e&deactivated=true', 'v3'), ['eve'])
      assert.ok((await list('deactivated=false', 'v3')).includes('alice'))
      assert.ok((await list('', 'v3')).includes('eve'))
      // Unchanged it may be sent back; anything else is refused.
      await world.ask('PUT', at('v2', userId), shown)
      for (const body of [{ deactivated: false }, { password: 'a new password' }, { displayname: 'x' }]) {
        assert.equal(await world.refusal('PUT', at('v2', userId), body), '400 M_INVALID_PARAM')
      }
      await world.ask('POST', path, { erase: true })
      await world.ask('POST', path, { erase: true })
      await world.server.hs.jobs.idle()
      const erased = await world.ask('GET', at('v2', userId))
      assert.deepEqual([erased['erased'], erased['displayname']], [true, null])
    })

    it('resets a password, and logs devices out unless told otherwise', async () => {
      const frank = await world.server.register('frank')
      const path = `/v1/reset_password/${segment(frank.userId)}`
      const whoami = async () =>
        (await world.server.request('GET', '/_matrix/client/v3/account/whoami', { token: frank.token }))
          .status
      assert.deepEqual(
        await world.ask('POST', path, { new_password: 'second one', logout_devices: false }),
        {},
      )
      assert.equal(await whoami(), 200)
      assert.equal((await login('frank', TEST_PASSWORD)).status, 403)
      await world.ask('POST', path, { new_password: 'third one' })
      assert.equal(await whoami(), 401)
      assert.equal((await login('frank', 'third one')).status, 200)
      assert.equal(await world.refusal('POST', path, {}), '400 M_BAD_JSON')
    })

    it('lists, makes, renames and ends devices', async () => {
      const path = at('v2', alice.userId, '/devices')
      const made = await world.server.request('POST', `/_synapse/admin${path}`, {
        token: world.root.token,
        body: { device_id: 'SPARE' },
      })
      assert.equal(made.status, 201)
      await world.ask('PUT', `${path}/SPARE`, { display_name: 'A spare one' })
      assert.deepEqual(await world.ask('GET', `${path}/SPARE`), {
        user_id: alice.userId,
        device_id: 'SPARE',
        display_name: 'A spare one',
        last_seen_ts: null,
        last_seen_ip: null,
      })
      const { devices, total } = await world.ask('GET', path)
      assert.equal(total, 2)
      assert.deepEqual(
        new Set((devices as JsonObject[]).map((one) => one['device_id'])),
        new Set([alice.deviceId, 'SPARE']),
      )
      await world.ask('DELETE', `${path}/SPARE`)
      assert.equal(await world.refusal('GET', `${path}/SPARE`), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('PUT', `${path}/SPARE`, { display_name: 'x' }), '404 M_NOT_FOUND')
      const second = (await login('alice', TEST_PASSWORD)).json() as {
        device_id: string
        access_token: string
      }
      await world.ask('POST', at('v2', alice.userId, '/delete_devices'), { devices: [second.device_id] })
      const gone = await world.server.request('GET', '/_matrix/client/v3/account/whoami', {
        token: second.access_token,
      })
      assert.equal(gone.status, 401)
      const whois = await world.ask('GET', `/v1/whois/${segment(alice.userId)}`)
      assert.deepEqual(Object.keys(whois['devices'] as JsonObject), [alice.deviceId])
    })

    it('shows rooms, account data, pushers', async () => {
      const { room_id: roomId } = await world.client(alice, 'POST', '/createRoom', { invite: [bob.userId] })
      const { joined_rooms: rooms, total } = await world.ask('GET', at('v1', alice.userId, '/joined_rooms'))
      assert.equal(total, (rooms as string[]).length)
      assert.ok((rooms as string[]).includes(roomId as string))
      const { memberships } = await world.ask('GET', at('v1', bob.userId, '/memberships'))
      assert.deepEqual(memberships, { [roomId as string]: 'invite' })
      const user = `/user/${segment(alice.userId)}`
      await world.client(alice, 'PUT', `${user}/account_data/org.example.one`, { a: 1 })
      await world.client(alice, 'PUT', `${user}/account_data/org.example.removed`, { a: 1 })
      await world.client(alice, 'PUT', `${user}/account_data/org.example.removed`, {})
      await world.client(
        alice,
        'PUT',
        `${user}/rooms/${segment(roomId as string)}/account_data/org.example.two`,
        {
          b: 2,
        },
      )
      assert.deepEqual(await world.ask('GET', at('v1', alice.userId, '/accountdata')), {
        account_data: {
          global: { 'org.example.one': { a: 1 } },
          rooms: { [roomId as string]: { 'org.example.two': { b: 2 } } },
        },
      })
      await world.client(alice, 'POST', '/pushers/set', {
        kind: 'http',
        app_id: 'org.example.app',
        pushkey: 'key',
        app_display_name: 'App',
        device_display_name: 'Phone',
        lang: 'en',
        data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
      })
      const pushers = await world.ask('GET', at('v1', alice.userId, '/pushers'))
      assert.equal(pushers['total'], 1)
      assert.equal((pushers['pushers'] as JsonObject[])[0]!['pushkey'], 'key')
    })

    it('lists uploads of an account, and deletes some', async () => {
      const path = at('v1', bob.userId, '/media')
      for (const text of ['one', 'two', 'longer than two']) {
        await world.server.request('POST', `/_matrix/media/v3/upload?filename=${segment(text)}`, {
          token: bob.token,
          headers: { 'content-type': 'text/plain' },
          body: { text },
        })
      }
      const all = await world.ask('GET', `${path}?order_by=upload_name`)
      const found = all['media'] as JsonObject[]
      assert.deepEqual(
        [all['total'], found.map((one) => one['upload_name'])],
        [3, ['longer than two', 'one', 'two']],
      )
      assert.deepEqual([found[1]!['media_type'], found[1]!['media_length']], ['text/plain', 14])
      const page = await world.ask('GET', `${path}?limit=1&order_by=media_length&dir=b`)
      assert.deepEqual(
        [(page['media'] as JsonObject[])[0]!['upload_name'], page['next_token']],
        ['longer than two', 1],
      )
      const deleted = await world.ask('DELETE', `${path}?limit=1&order_by=media_length&dir=b`)
      assert.deepEqual(deleted, { deleted_media: [found[0]!['media_id']], total: 1 })
      await world.ask('DELETE', path)
      assert.equal((await world.ask('GET', path))['total'], 0)
    })

    it('logs in as somebody, who sees it, for as long as is said', async () => {
      const path = at('v1', alice.userId, '/login')
      const { access_token: token } = await world.ask('POST', path, {})
      const who = await world.client({ token: token as string }, 'GET', '/account/whoami')
      assert.equal(who['user_id'], alice.userId)
      const { devices } = await world.client(alice, 'GET', '/devices')
      const shown = (devices as JsonObject[]).find((one) => one['device_id'] === who['device_id'])
      assert.equal(shown?.['display_name'], `An administrator: ${world.root.userId}`)
      const { access_token: old } = await world.ask('POST', path, { valid_until_ms: 1_000 })
      const late = await world.server.request('GET', '/_matrix/client/v3/account/whoami', {
        token: old as string,
      })
      assert.equal(late.status, 401)
      assert.equal(
        await world.refusal('POST', at('v1', world.root.userId, '/login'), {}),
        '400 M_INVALID_PARAM',
      )
      await world.ask('PUT', at('v2', alice.userId), { locked: true })
      assert.equal(await world.refusal('POST', path, {}), '400 M_INVALID_PARAM')
      await world.ask('PUT', at('v2', alice.userId), { locked: false })
    })

    it('says whether a name is free', async () => {
      assert.deepEqual(await world.ask('GET', '/v1/username_available?username=zoe'), { available: true })
      assert.equal(await world.refusal('GET', '/v1/username_available?username=alice'), '400 M_USER_IN_USE')
      assert.equal(
        await world.refusal('GET', '/v1/username_available?username=%40'),
        '400 M_INVALID_USERNAME',
      )
    })
  })

  describe(`Synapse’s interface: limits of one user, on ${driver.name}`, { skip: driver.skip }, () => {
    it('holds for messages, or lifts all limits, at once and after a restart', async () => {
      const few = { per_second: 0.0001, burst: 1 }
      await using world = await openAdminWorld(driver, {
        rate_limits: { ...UNLIMITED, message: few, profile: few },
      })
      const gina = await world.server.register('gina')
      const path = at('v1', gina.userId, '/override_ratelimit')
      const { room_id: roomId } = await world.client(gina, 'POST', '/createRoom', {})
      let sent = 0
      const say = async (): Promise<number> => {
        sent += 1
        const url = `/_matrix/client/v3/rooms/${segment(roomId as string)}/send/m.room.message/${sent}`
        const body = { msgtype: 'm.text', body: 'x' }
        return (await world.server.request('PUT', url, { token: gina.token, body })).status
      }
      const rename = async (): Promise<number> => {
        const url = `/_matrix/client/v3/profile/${segment(gina.userId)}/displayname`
        return (await world.server.request('PUT', url, { token: gina.token, body: { displayname: 'G' } }))
          .status
      }
      assert.deepEqual(await world.ask('GET', path), {})
      assert.deepEqual([await say(), await say(), await rename(), await rename()], [200, 429, 200, 429])
      const more = { messages_per_second: 1_000, burst_count: 100_000 }
      assert.deepEqual(await world.ask('POST', path, more), more)
      assert.deepEqual([await say(), await say(), await rename()], [200, 200, 429])
      const unlimited = { messages_per_second: 0, burst_count: 0 }
      assert.deepEqual(await world.ask('POST', path), unlimited)
      assert.deepEqual([await say(), await rename()], [200, 200])
      await world.restart()
      assert.deepEqual(await world.ask('GET', path), unlimited)
      assert.deepEqual([await say(), await say(), await say()], [200, 200, 200])
      assert.deepEqual(await world.ask('DELETE', path), {})
      assert.deepEqual(await world.ask('GET', path), {})
      assert.deepEqual([await say(), await say()], [200, 429])
      assert.equal(await world.refusal('POST', path, { burst_count: -1 }), '400 M_BAD_JSON')
    })
  })
}
