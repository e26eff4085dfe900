import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { contentOf, eventsIn, openPeople, roomPart } from '../user-data/test-people.ts'

const escaped = encodeURIComponent

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
      await alice.call('PUT', `${own}/account_data/org.example.old`, {})
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
      const wrong = await alice.ask('POST', own, { room: { timeline: { types: 'm.room.message' } } })
      assert.deepEqual([wrong.status, wrong.body['errcode']], [400, 'M_BAD_JSON'])
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
      ] as const) {
        const answer = await alice.ask('PUT', path, body as unknown as JsonObject)
        assert.deepEqual([answer.status, answer.body['errcode']], [400, errcode])
      }
      assert.equal((await alice.ask('PUT', '/pushrules/global/nothing/x', { actions: [] })).status, 400)
      assert.equal((await alice.ask('GET', '/pushrules/global/nothing/x')).status, 404)
    })
  })
}
