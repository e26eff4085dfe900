import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createSteppedClock } from '../delayed/test-clock.ts'
import { forgetRemovedAccountData } from '../ops/housekeeping.ts'
import { findServerDrivers, TEST_PASSWORD } from '../test-server.ts'
import { contentOf, eventsIn, openPeople, roomPart } from '../user-data/test-people.ts'

const escaped = encodeURIComponent
const DAY_MS = 86_400_000

for (const driver of await findServerDrivers()) {
  describe(`account data on ${driver.name}`, { skip: driver.skip }, () => {
    it('is read as it was written, told once in sync, and again on a first sync', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const own = `/user/${escaped(alice.userId)}`
      await alice.call('PUT', `${own}/account_data/org.example.a`, { value: 1 })
      await alice.call('PUT', `${own}/account_data/org.example.a`, { value: 2 })
      await alice.call('PUT', `${own}${room}/account_data/org.example.b`, { value: 3 })
      assert.deepEqual(await alice.call('GET', `${own}/account_data/org.example.a`), { value: 2 })
      assert.deepEqual(await alice.call('GET', `${own}${room}/account_data/org.example.b`), { value: 3 })
      const missing = await alice.ask('GET', `${own}${room}/account_data/org.example.a`)
      assert.deepEqual([missing.status, missing.body['errcode']], [404, 'M_NOT_FOUND'])
      for (const answer of [await alice.sync(), await alice.firstSync()]) {
        const global = eventsIn(answer, 'account_data').filter(({ type }) => type !== 'm.push_rules')
        assert.deepEqual(global, [{ type: 'org.example.a', content: { value: 2 } }])
        assert.deepEqual(roomPart(answer, roomId, 'account_data'), [
          { type: 'org.example.b', content: { value: 3 } },
        ])
      }
      assert.deepEqual(eventsIn(await alice.sync(), 'account_data'), [])
      assert.deepEqual(eventsIn(await bob.sync(), 'account_data'), [])
    })

    it('is read from the tables by who fell behind what is in memory', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId, room } = people
      const own = `/user/${escaped(alice.userId)}`
      await alice.call('PUT', `${own}/account_data/org.example.old`, { a: 1 })
      const before = (await alice.sync())['next_batch'] as string
      await alice.call('PUT', `${own}/account_data/org.example.new`, { a: 'ä' })
      await alice.call('PUT', `${own}${room}/tags/u.x`, { order: 0.5 })
      const eventId = await alice.say(roomId, 'one')
      await alice.call('POST', `${room}/receipt/m.read/${escaped(eventId)}`, {})
      const { ring } = people.server.hs.log
      const sinceOf = ring.sinceOf.bind(ring)
      ring.sinceOf = () => 'fell-behind'
      const answer = await alice.firstSync({ since: before })
      ring.sinceOf = sinceOf
      assert.deepEqual(eventsIn(answer, 'account_data'), [{ type: 'org.example.new', content: { a: 'ä' } }])
      assert.deepEqual(contentOf(roomPart(answer, roomId, 'account_data'), 'm.tag'), {
        tags: { 'u.x': { order: 0.5 } },
      })
      const receipt = contentOf(roomPart(answer, roomId, 'ephemeral'), 'm.receipt')
      assert.deepEqual(Object.keys(receipt!), [eventId])
    })

    it('of what the server manages is refused, and of others too', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      const own = `/user/${escaped(alice.userId)}`
      for (const path of ['/account_data/m.push_rules', `${room}/account_data/m.fully_read`]) {
        const { status, body } = await alice.ask('PUT', own + path, {})
        assert.deepEqual([status, body['errcode']], [405, 'M_BAD_JSON'])
      }
      for (const path of ['/account_data/x', `${room}/account_data/x`, `${room}/tags/x`]) {
        const { status, body } = await bob.ask('PUT', own + path, {})
        assert.deepEqual([status, body['errcode']], [403, 'M_FORBIDDEN'])
      }
      const unknown = await alice.ask('PUT', `${own}/rooms/!x:y/account_data/x`, {})
      assert.equal(unknown.status, 403)
      const rules = await alice.call('GET', `${own}/account_data/m.push_rules`)
      assert.ok((rules['global'] as JsonObject)['override'])
    })

    it('is gone once it was removed, which is told once, and nobody finds it any more (MSC3391)', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      const user = `/user/${escaped(alice.userId)}`
      const remove = async (path: string, token = alice.token): Promise<unknown[]> => {
        const unstable = `/_matrix/client/unstable/org.matrix.msc3391${user}${path}`
        const answer = await server.request('DELETE', unstable, { token })
        return [answer.status, answer.status === 200 ? answer.json() : answer.json()['errcode']]
      }
      const isGone = async (path: string): Promise<void> => {
        const { status, body } = await alice.ask('GET', user + path)
        assert.deepEqual([status, body['errcode']], [404, 'M_NOT_FOUND'])
      }
      const [global, ofRoom] = ['/account_data/org.example.a', `${room}/account_data/org.example.b`] as const
      const told = (answer: JsonObject): unknown => [
        eventsIn(answer, 'account_data').filter(({ type }) => type !== 'm.push_rules'),
        roomPart(answer, roomId, 'account_data'),
      ]
      const empty = [[{ type: 'org.example.a', content: {} }], [{ type: 'org.example.b', content: {} }]]
      for (const way of ['DELETE', 'PUT'] as const) {
        for (const path of [global, ofRoom]) await alice.call('PUT', user + path, { secret: 'x' })
        const before = (await alice.sync())['next_batch'] as string
        for (const path of [global, ofRoom]) {
          if (way === 'PUT') await alice.call('PUT', user + path, {})
          else assert.deepEqual(await remove(path), [200, {}])
          await isGone(path)
        }
        assert.deepEqual(told(await alice.sync()), empty, `${way}: told as empty`)
        assert.deepEqual(told(await alice.sync()), [[], []], `${way}: told once`)
        const { ring } = server.hs.log
        const sinceOf = ring.sinceOf.bind(ring)
        ring.sinceOf = () => 'fell-behind'
        assert.deepEqual(told(await alice.firstSync({ since: before })), empty, `${way}: from the tables`)
        ring.sinceOf = sinceOf
        assert.deepEqual(told(await alice.firstSync()), [[], []], `${way}: not to who has nothing`)
        const initial = await alice.call('GET', `${room}/initialSync`)
        assert.deepEqual(initial['account_data'], [])
        assert.deepEqual(await remove(global), [200, {}])
        assert.deepEqual(told(await alice.sync()), [[], []], 'what is not there is not removed again')
      }
      const left = await server.hs.db.query('SELECT content FROM account_data WHERE user_id = ?', [
        alice.userId,
      ])
      assert.deepEqual(left, [{ content: '{}' }, { content: '{}' }])
      for (const path of ['/account_data/m.push_rules', `${room}/account_data/m.fully_read`])
        assert.deepEqual(await remove(path), [405, 'M_BAD_JSON'])
      assert.deepEqual(await remove(global, bob.token), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await remove('/rooms/!x:y/account_data/x'), [403, 'M_FORBIDDEN'])
      await alice.call('PUT', user + global, { again: true })
      assert.deepEqual(await alice.call('GET', user + global), { again: true })
    })

    it('leaves no row behind once clients have had the time to hear that it was removed', async () => {
      const clock = createSteppedClock()
      await using people = await openPeople(driver, { clock })
      const { server, alice } = people
      const at = (type: string): string => `/user/${escaped(alice.userId)}/account_data/org.example.${type}`
      for (const type of ['early', 'late', 'kept']) await alice.call('PUT', at(type), { a: 1 })
      await alice.call('PUT', at('early'), {})
      clock.advance(60 * DAY_MS)
      await alice.call('PUT', at('late'), {})
      const rows = async (): Promise<unknown[]> => {
        await forgetRemovedAccountData(server.hs).run()
        const all = await server.hs.db.query(
          'SELECT type FROM account_data WHERE user_id = ? ORDER BY type',
          [alice.userId],
        )
        return all.map(({ type }) => type)
      }
      assert.deepEqual(await rows(), ['org.example.early', 'org.example.kept', 'org.example.late'])
      clock.advance(31 * DAY_MS)
      assert.deepEqual(await rows(), ['org.example.kept', 'org.example.late'])
      // Set again, it is no longer on its way out.
      await alice.call('PUT', at('late'), { a: 2 })
      clock.advance(365 * DAY_MS)
      assert.deepEqual(await rows(), ['org.example.kept', 'org.example.late'])
    })

    it('that is about a device goes with the device (MSC3890)', async () => {
      await using people = await openPeople(driver)
      const { server, alice } = people
      const user = `/user/${escaped(alice.userId)}`
      const logIn = async (deviceId: string): Promise<string> => {
        const answer = await server.request('POST', '/_matrix/client/v3/login', {
          body: {
            type: 'm.login.password',
            identifier: { type: 'm.id.user', user: alice.userId },
            password: TEST_PASSWORD,
            device_id: deviceId,
          },
        })
        return answer.json()['access_token'] as string
      }
      const tokens = { ONE: await logIn('ONE'), TWO: await logIn('TWO'), OLD: await logIn('OLD') }
      const names = ['org.matrix.msc3890.local_notification_settings', 'm.local_notification_settings']
      const typesOf = (deviceId: string): string[] => names.map((name) => `${name}.${deviceId}`)
      for (const type of [...typesOf('ONE'), ...typesOf('TWO')])
        await alice.call('PUT', `${user}/account_data/${type}`, { is_silenced: true })
      await alice.sync()
      const end = (token: string) => server.request('POST', '/_matrix/client/v3/logout', { token, body: {} })
      assert.equal((await end(tokens.OLD)).status, 200)
      assert.deepEqual(eventsIn(await alice.sync(), 'account_data'), [], 'there was nothing to remove')
      assert.equal((await end(tokens.ONE)).status, 200)
      for (const type of typesOf('ONE')) {
        const { status, body } = await alice.ask('GET', `${user}/account_data/${type}`)
        assert.deepEqual([status, body['errcode']], [404, 'M_NOT_FOUND'])
      }
      const told = eventsIn(await alice.sync(), 'account_data').map(
        ({ type, content }) => [type, content] as const,
      )
      assert.deepEqual(new Map(told), new Map(typesOf('ONE').map((type) => [type, {}])))
      for (const type of typesOf('TWO'))
        assert.deepEqual(await alice.call('GET', `${user}/account_data/${type}`), { is_silenced: true })
      assert.equal((await end(tokens.TWO)).status, 200)
      const seen = eventsIn(await alice.firstSync(), 'account_data').map(({ type }) => type)
      assert.deepEqual(seen, ['m.push_rules'])
    })

    it('keeps every one of many tags that are set at once', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId, room } = people
      const tags = `/user/${escaped(alice.userId)}${room}/tags`
      await Promise.all(['a', 'b', 'c'].map((tag) => alice.call('PUT', `${tags}/u.${tag}`, { order: 0.1 })))
      await alice.call('PUT', `${tags}/${escaped('__proto__')}`, {})
      await alice.call('DELETE', `${tags}/u.b`)
      await alice.call('DELETE', `${tags}/never`)
      const expected = JSON.parse(
        '{"tags":{"u.a":{"order":0.1},"u.c":{"order":0.1},"__proto__":{}}}',
      ) as JsonObject
      const sorted = (content: JsonObject) => Object.keys(content['tags'] as JsonObject).toSorted()
      assert.deepEqual(sorted(await alice.call('GET', tags)), sorted(expected))
      const told = contentOf(roomPart(await alice.sync(), roomId, 'account_data'), 'm.tag')
      assert.deepEqual(sorted(told!), sorted(expected))
    })
  })

  describe(`filters on ${driver.name}`, { skip: driver.skip }, () => {
    it('are stored once, given back as written, and used', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const own = `/user/${escaped(alice.userId)}/filter`
      const definition = {
        room: { timeline: { limit: 1 }, ephemeral: { types: [] } },
        presence: { types: [] },
      }
      const { filter_id: id } = (await alice.call('POST', own, definition)) as { filter_id: string }
      assert.equal((await alice.call('POST', own, definition))['filter_id'], id)
      assert.notEqual((await alice.call('POST', own, {}))['filter_id'], id)
      assert.deepEqual(await alice.call('GET', `${own}/${id}`), definition)
      await alice.say(roomId, 'one')
      await alice.say(roomId, 'two')
      const answer = await alice.sync({ filter: id })
      assert.equal(eventsIn(answer, 'rooms', 'join', roomId, 'timeline').length, 1)
      assert.equal((await bob.ask('GET', `/sync?filter=${id}`)).status, 404)
      assert.equal((await bob.ask('GET', `${own}/${id}`)).status, 403)
      for (const wrong of [
        { room: { timeline: { types: 'm.room.message' } } },
        { room: { timeline: { limit: 'ten' } } },
        { room: { timeline: { limit: 1.5 } } },
        { room: { state: { lazy_load_members: 1 } } },
        { room: { timeline: { contains_url: 'yes' } } },
        { room: { timeline: { related_by_rel_types: 'm.thread' } } },
        { room: { include_leave: 'yes' } },
        { event_fields: 'content' },
        { event_format: 'xml' },
      ]) {
        const { status, body } = await alice.ask('POST', own, wrong)
        assert.deepEqual([status, body['errcode']], [400, 'M_BAD_JSON'], JSON.stringify(wrong))
      }
    })
  })

  describe(`push rules on ${driver.name}`, { skip: driver.skip }, () => {
    it('come with a first sync, wake a waiting one, and are edited by their own endpoints', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      const first = contentOf(eventsIn(await alice.firstSync(), 'account_data'), 'm.push_rules')
      assert.equal(
        ((first!['global'] as JsonObject)['override'] as JsonObject[])[0]!['rule_id'],
        '.m.rule.master',
      )
      const rule = `/pushrules/global/room/${escaped('!x:y')}`
      const woken = async (
        method: string,
        path: string,
        body?: JsonObject,
      ): Promise<JsonObject | undefined> => {
        const waiting = alice.sync({ timeout: '20000' })
        await alice.call(method, path, body)
        return contentOf(eventsIn(await waiting, 'account_data'), 'm.push_rules')
      }
      assert.ok(await woken('PUT', rule, { actions: ['notify'] }))
      assert.ok(await woken('PUT', `${rule}/enabled`, { enabled: false }))
      const told = await woken('PUT', `${rule}/actions`, { actions: ['dont_notify'] })
      const expected = { rule_id: '!x:y', default: false, enabled: false, actions: ['dont_notify'] }
      assert.deepEqual((told!['global'] as JsonObject)['room'], [expected])
      assert.deepEqual(await alice.call('GET', rule), expected)
      assert.deepEqual(await alice.call('GET', `${rule}/enabled`), { enabled: false })
      assert.deepEqual(await alice.call('GET', `${rule}/actions`), { actions: ['dont_notify'] })
      for (const path of ['/pushrules', '/pushrules/']) {
        const all = await alice.call('GET', path)
        assert.deepEqual((all['global'] as JsonObject)['room'], [expected])
      }
      assert.deepEqual((await alice.call('GET', '/pushrules/global/'))['room'], [expected])
      assert.ok(await woken('DELETE', rule))
      for (const [method, path] of [
        ['GET', rule],
        ['DELETE', rule],
        ['GET', `${rule}/enabled`],
      ] as const) {
        const { status, body } = await alice.ask(method, path)
        assert.deepEqual([status, body['errcode']], [404, 'M_NOT_FOUND'])
      }
    })

    it('keep every one of many edits at once, and refuse what is no rule', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      await Promise.all(
        ['a', 'b', 'c'].map((id) => alice.call('PUT', `/pushrules/global/override/${id}`, { actions: [] })),
      )
      const own = async (): Promise<string[]> =>
        ((await alice.call('GET', '/pushrules/global/'))['override'] as JsonObject[])
          .filter((rule) => rule['default'] === false)
          .map((rule) => rule['rule_id'] as string)
      assert.deepEqual((await own()).toSorted(), ['a', 'b', 'c'])
      for (const [path, body, errcode] of [
        ['/pushrules/global/override/.mine', { actions: [] }, 'M_INVALID_PARAM'],
        ['/pushrules/global/content/x', { actions: [] }, 'M_MISSING_PARAM'],
        ['/pushrules/global/override/x?before=nothing', { actions: [] }, 'M_UNKNOWN'],
        ['/pushrules/global/override/x', { actions: [], conditions: [{ key: 'type' }] }, 'M_INVALID_PARAM'],
      ] as const) {
        const answer = await alice.ask('PUT', path, body as unknown as JsonObject)
        assert.deepEqual([answer.status, answer.body['errcode']], [400, errcode])
      }
      assert.equal((await alice.ask('PUT', '/pushrules/global/nothing/x', { actions: [] })).status, 400)
      assert.equal((await alice.ask('GET', '/pushrules/global/nothing/x')).status, 404)
    })
  })
}
