import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../../client/routes.ts'
import { findServerDrivers } from '../../test-server.ts'
import { openPeople, type Person } from '../../user-data/test-people.ts'
import { extensionIn, openSlider, roomIn, window } from './test-slider.ts'

const escaped = encodeURIComponent

async function createRoom(person: Person, more: JsonObject = {}): Promise<string> {
  return (await person.call('POST', '/createRoom', { preset: 'public_chat', ...more }))['room_id'] as string
}

const roomsOf = (answer: JsonObject, name: string): JsonObject =>
  extensionIn(answer, name)['rooms'] as JsonObject

const read = (who: Person, roomId: string, eventId: string, type = 'm.read'): Promise<JsonObject> =>
  who.call('POST', `/rooms/${escaped(roomId)}/receipt/${type}/${escaped(eventId)}`, {})

const type = (who: Person, roomId: string, typing: boolean): Promise<JsonObject> =>
  who.call('PUT', `/rooms/${escaped(roomId)}/typing/${escaped(who.userId)}`, { typing, timeout: 60_000 })

for (const driver of await findServerDrivers()) {
  describe(`extensions of sliding sync on ${driver.name}`, { skip: driver.skip }, () => {
    it('bring messages to the device until they are acknowledged, and are left out unless asked for', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { server, alice, bob } = people
      const deviceId = (await alice.call('GET', '/account/whoami'))['device_id'] as string
      const send = (body: string): Promise<unknown> =>
        server.request('PUT', `/_matrix/client/v3/sendToDevice/com.example/${body}`, {
          token: bob.token,
          body: { messages: { [alice.userId]: { [deviceId]: { body } } } },
        })
      const asking = (since?: unknown, limit = 100): JsonObject => ({
        extensions: {
          to_device: { enabled: true, limit, ...(since === undefined ? {} : { since: since as string }) },
        },
      })
      const slider = openSlider(server, alice.token, {})
      const bodies = (answer: JsonObject): unknown[] =>
        (extensionIn(answer, 'to_device')['events'] as JsonObject[]).map(
          ({ content }) => (content as JsonObject)['body'],
        )
      const next = (answer: JsonObject): unknown => extensionIn(answer, 'to_device')['next_batch']
      assert.deepEqual((await slider.next())['extensions'], {})
      for (const body of ['a', 'b', 'c']) await send(body)
      const first = await slider.next(asking())
      assert.deepEqual(bodies(first), ['a', 'b', 'c'])
      assert.deepEqual(bodies(await slider.next(asking())), ['a', 'b', 'c'], 'not acknowledged')
      const waiting = slider.next(asking(next(first)), 60_000)
      while (server.hs.notifier.waiting() === 0) await new Promise((resolve) => setImmediate(resolve))
      await send('d')
      const second = await waiting
      assert.deepEqual(bodies(second), ['d'])
      const third = await slider.next(asking(next(second)))
      assert.deepEqual(bodies(third), [])
      for (const body of ['e', 'f', 'g']) await send(body)
      const fourth = await slider.next(asking(next(third), 2))
      assert.deepEqual(bodies(fourth), ['e', 'f'])
      const fifth = await slider.next(asking(next(fourth), 2))
      assert.deepEqual(bodies(fifth), ['g'])
      assert.deepEqual(bodies(await slider.next(asking(next(fifth)))), [])
      assert.deepEqual(await server.hs.db.query('SELECT position FROM to_device', []), [])
      assert.equal((await slider.ask(asking('garbage'), {})).body['errcode'], 'M_INVALID_PARAM')
    })

    it('tell whose devices have changed, and how many keys are left', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { server, alice, bob } = people
      const asked = { extensions: { e2ee: { enabled: true } } }
      const slider = openSlider(server, alice.token, asked)
      const first = extensionIn(await slider.next(), 'e2ee')
      assert.deepEqual(first, {
        device_one_time_keys_count: { signed_curve25519: 0 },
        device_unused_fallback_key_types: [],
      })
      const device = (await bob.call('GET', '/account/whoami'))['device_id'] as string
      const upload = await server.request('POST', '/_matrix/client/v3/keys/upload', {
        token: bob.token,
        body: {
          device_keys: {
            user_id: bob.userId,
            device_id: device,
            algorithms: ['m.olm.v1.curve25519-aes-sha2'],
            keys: { [`ed25519:${device}`]: 'a', [`curve25519:${device}`]: 'b' },
            signatures: { [bob.userId]: { [`ed25519:${device}`]: 'c' } },
          },
        },
      })
      assert.equal(upload.status, 200, JSON.stringify(upload.json()))
      const changed = extensionIn(await slider.next(undefined, 60_000), 'e2ee')
      assert.deepEqual(changed['device_lists'], { changed: [bob.userId], left: [] })
      assert.equal(extensionIn(await slider.next(), 'e2ee')['device_lists'], undefined)
    })

    it('bring account data: global, and of rooms as they come into sight', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { server, alice, roomId } = people
      const second = await createRoom(alice)
      const own = `/user/${escaped(alice.userId)}`
      const set = (room: string, value: number): Promise<unknown> =>
        alice.call('PUT', `${own}/rooms/${escaped(room)}/account_data/com.example.note`, { value })
      await alice.call('PUT', `${own}/account_data/com.example.global`, { value: 1 })
      await set(roomId, 1)
      await set(second, 1)
      const asked = (last: number): JsonObject => ({
        ...window(last),
        extensions: { account_data: { enabled: true } },
      })
      const note = (value: number): JsonObject[] => [{ type: 'com.example.note', content: { value } }]
      const slider = openSlider(server, alice.token, asked(0))
      const first = await slider.next()
      const global = extensionIn(first, 'account_data')['global'] as JsonObject[]
      assert.ok(global.some((event) => event['type'] === 'm.push_rules'))
      assert.ok(global.some((event) => event['type'] === 'com.example.global'))
      assert.deepEqual(roomsOf(first, 'account_data'), { [second]: note(1) })
      assert.deepEqual(extensionIn(await slider.next(), 'account_data'), { global: [], rooms: {} })
      assert.deepEqual(roomsOf(await slider.next(asked(1)), 'account_data'), { [roomId]: note(1) })
      await set(roomId, 2)
      assert.deepEqual(roomsOf(await slider.next(asked(1), 60_000), 'account_data'), { [roomId]: note(2) })
      await slider.next(asked(0))
      await set(roomId, 3)
      assert.deepEqual(roomsOf(await slider.next(asked(0)), 'account_data'), {})
      await slider.next(asked(0))
      assert.deepEqual(roomsOf(await slider.next(asked(1)), 'account_data'), { [roomId]: note(3) })
      await slider.next(asked(0))
      assert.deepEqual(roomsOf(await slider.next(asked(1)), 'account_data'), {}, 'nothing new')
      await alice.call('PUT', `${own}/account_data/com.example.global`, {})
      await alice.call('PUT', `${own}/rooms/${escaped(roomId)}/account_data/com.example.note`, {})
      assert.deepEqual(
        extensionIn(await slider.next(asked(1), 60_000), 'account_data'),
        {
          global: [{ type: 'com.example.global', content: {} }],
          rooms: { [roomId]: [{ type: 'com.example.note', content: {} }] },
        },
        'what was removed is told as empty',
      )
      assert.deepEqual(extensionIn(await slider.next(asked(1)), 'account_data'), { global: [], rooms: {} })
      await alice.call('PUT', '/pushrules/global/content/word', { actions: ['notify'], pattern: 'word' })
      const rules = extensionIn(await slider.next(asked(1)), 'account_data')['global'] as JsonObject[]
      assert.deepEqual(
        rules.map((event) => event['type']),
        ['m.push_rules'],
      )
      const anew = extensionIn(await openSlider(server, alice.token, asked(1)).next(), 'account_data')
      assert.deepEqual(
        (anew['global'] as JsonObject[]).map((event) => event['type']),
        ['m.push_rules'],
      )
      assert.deepEqual(anew['rooms'], { [second]: note(1) })
    })

    it('bring receipts: one’s own and those of what is shown, then those that change, no private ones of others', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { server, alice, bob, roomId } = people
      const carol = await people.register('carol')
      await carol.call('POST', `${people.room}/join`, {})
      const old = await bob.say(roomId, 'old')
      await read(carol, roomId, old)
      const seen = await bob.say(roomId, 'seen')
      await read(alice, roomId, old)
      await read(bob, roomId, seen)
      const asked = { ...window(9, { timeline_limit: 1 }), extensions: { receipts: { enabled: true } } }
      const slider = openSlider(server, alice.token, asked)
      const readers = (answer: JsonObject): Record<string, string[]> => {
        const event = roomsOf(answer, 'receipts')[roomId] as JsonObject | undefined
        const content = (event?.['content'] ?? {}) as Record<string, JsonObject>
        return Object.fromEntries(
          Object.entries(content).map(([eventId, kinds]) => [
            eventId,
            Object.entries(kinds).flatMap(([kind, users]) =>
              Object.keys(users as JsonObject).map((u) => `${kind} ${u}`),
            ),
          ]),
        )
      }
      assert.deepEqual(readers(await slider.next()), {
        [old]: [`m.read ${alice.userId}`],
        [seen]: [`m.read ${bob.userId}`],
      })
      assert.deepEqual(readers(await slider.next()), {})
      await read(bob, roomId, seen, 'm.read.private')
      await read(carol, roomId, seen)
      assert.deepEqual(readers(await slider.next(undefined, 60_000)), { [seen]: [`m.read ${carol.userId}`] })
      const before = await slider.next()
      assert.equal(roomIn(before, roomId), undefined)
      await read(alice, roomId, seen)
      const mine = await slider.next(undefined, 60_000)
      assert.equal(roomIn(mine, roomId)!['notification_count'], 0, 'what was read elsewhere counts no more')
      assert.deepEqual(readers(mine), { [seen]: [`m.read ${alice.userId}`] })
      await slider.next({ lists: {} })
      const later = await alice.say(roomId, 'later')
      await read(carol, roomId, later)
      assert.deepEqual(readers(await slider.next()), { [later]: [`m.read ${carol.userId}`] })
    })

    it('tell who types, in the rooms and lists that they are asked for', async () => {
      await using people = await openPeople(driver, { endpoints: clientRoutes })
      const { server, alice, bob, roomId } = people
      const second = await createRoom(alice)
      await bob.call('POST', `/join/${escaped(second)}`, {})
      await type(bob, roomId, true)
      const lists = {
        top: { ranges: [[0, 0]], timeline_limit: 1, required_state: [] },
        all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] },
      }
      const asking = (scope: JsonObject): JsonObject => ({
        lists,
        extensions: { typing: { enabled: true, ...scope } },
      })
      const slider = openSlider(server, alice.token, asking({}))
      const typing = (answer: JsonObject): [string, unknown][] =>
        Object.entries(roomsOf(answer, 'typing')).map(([id, event]) => [
          id,
          ((event as JsonObject)['content'] as JsonObject)['user_ids'],
        ])
      assert.deepEqual(typing(await slider.next()), [[roomId, [bob.userId]]])
      assert.deepEqual(typing(await slider.next()), [])
      await type(bob, roomId, false)
      assert.deepEqual(typing(await slider.next(undefined, 60_000)), [[roomId, []]])
      await type(bob, second, true)
      await type(bob, roomId, true)
      const scoped = asking({ lists: ['top'], rooms: [] })
      assert.deepEqual(typing(await slider.next(scoped)), [[second, [bob.userId]]])
      const none = asking({ lists: [], rooms: ['!unknown:test.example'] })
      await type(bob, second, false)
      assert.deepEqual(typing(await slider.next(none)), [])
    })
  })
}
