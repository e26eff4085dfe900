import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { publishNetworkRoom } from '@causeway/store/tables/appservices.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { findServerDrivers, type ServerDriver, type TestLogin } from '../test-server.ts'
import { clientRoutes } from './routes.ts'

interface Town extends AsyncDisposable {
  readonly alice: TestLogin
  readonly bob: TestLogin
  readonly publicRooms: { changed(): void }
  /** Lets seconds pass for what is cached. */
  pass(seconds: number): void
  send(who: TestLogin | undefined, method: string, path: string, body?: JsonObject): Promise<DispatchResponse>
  /** The same under the client prefix; throws unless the status is 200. */
  call(who: TestLogin | undefined, method: string, path: string, body?: JsonObject): Promise<JsonObject>
  room(who: TestLogin, more?: JsonObject): Promise<string>
  publishOnNetwork(network: string, roomId: string): Promise<void>
}

async function openTown(driver: ServerDriver): Promise<Town> {
  let shift = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + shift }
  const server = await driver.start({ endpoints: clientRoutes, clock })
  const town: Town = {
    alice: await server.register('alice'),
    bob: await server.register('bob'),
    publicRooms: server.hs.publicRooms,
    pass: (seconds) => {
      shift += seconds * 1000
    },
    send: (who, method, path, body) =>
      server.request(method, `/_matrix/client/v3${path}`, {
        ...(who === undefined ? {} : { token: who.token }),
        ...(body === undefined ? {} : { body }),
      }),
    async call(who, method, path, body) {
      const answer = await town.send(who, method, path, body)
      assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.json())}`)
      return answer.json()
    },
    room: async (who, more = {}) => (await town.call(who, 'POST', '/createRoom', more))['room_id'] as string,
    async publishOnNetwork(network, roomId) {
      const [row] = await server.hs.db.query<{ nid: number }>('SELECT nid FROM rooms WHERE room_id = ?', [
        roomId,
      ])
      await server.hs.log.append({ entries: [], steps: [publishNetworkRoom(network, row!.nid, 'irc')] })
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  return town
}

const named = (alias: string): string => `/directory/room/${encodeURIComponent(alias)}`
const inRoom = (roomId: string, rest: string): string => `/rooms/${encodeURIComponent(roomId)}${rest}`
const listing = (roomId: string): string => `/directory/list/room/${encodeURIComponent(roomId)}`
const refusal = (answer: DispatchResponse): unknown[] => [answer.status, answer.json()['errcode']]

const chunk = (answer: JsonObject): JsonObject[] => answer['chunk'] as JsonObject[]
const idsOf = (answer: JsonObject): string[] => chunk(answer).map((room) => room['room_id'] as string)

for (const driver of await findServerDrivers()) {
  describe(`aliases on ${driver.name}`, { skip: driver.skip }, () => {
    it('gives a room a name that leads to it, in any script, once', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice, { preset: 'public_chat' })
      const alias = '#老虎Â£я🤨👉ඞ:test.example'
      await town.call(alice, 'PUT', named(alias), { room_id: roomId })
      const found = await town.call(undefined, 'GET', named(alias))
      assert.deepEqual(found, { room_id: roomId, servers: ['test.example'] })
      assert.deepEqual(await town.call(alice, 'GET', inRoom(roomId, '/aliases')), { aliases: [alias] })
      const other = await town.room(bob)
      const taken = await town.send(bob, 'PUT', named(alias), { room_id: other })
      assert.deepEqual(refusal(taken), [409, 'M_ROOM_IN_USE'])
      assert.equal(
        (await town.call(bob, 'POST', `/join/${encodeURIComponent(alias)}`, {}))['room_id'],
        roomId,
      )
    })

    it('refuses aliases of other servers, of rooms one is not in, and nonsense', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice)
      const put = async (who: TestLogin, alias: string, room: string): Promise<unknown[]> =>
        refusal(await town.send(who, 'PUT', named(alias), { room_id: room }))
      assert.deepEqual(await put(alice, '#a:elsewhere.example', roomId), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await put(alice, 'a:test.example', roomId), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await put(bob, '#a:test.example', roomId), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await put(bob, '#a:test.example', '!unknown:test.example'), [404, 'M_NOT_FOUND'])
      assert.deepEqual(refusal(await town.send(bob, 'GET', named('#a:test.example'))), [404, 'M_NOT_FOUND'])
      assert.deepEqual(refusal(await town.send(bob, 'GET', inRoom(roomId, '/aliases'))), [403, 'M_FORBIDDEN'])
    })

    it('lets the maker of an alias and the powerful of its room remove it, and nobody else', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice, { preset: 'public_chat' })
      await town.call(bob, 'POST', inRoom(roomId, '/join'), {})
      const [hers, his] = ['#hers:test.example', '#his:test.example']
      await town.call(alice, 'PUT', named(hers), { room_id: roomId })
      await town.call(bob, 'PUT', named(his), { room_id: roomId })
      assert.deepEqual(refusal(await town.send(bob, 'DELETE', named(hers))), [403, 'M_FORBIDDEN'])
      await town.call(bob, 'DELETE', named(his))
      assert.deepEqual(refusal(await town.send(bob, 'DELETE', named(his))), [404, 'M_NOT_FOUND'])
      await town.call(bob, 'PUT', named(his), { room_id: roomId })
      await town.call(alice, 'DELETE', named(his))
      assert.deepEqual(await town.call(alice, 'GET', inRoom(roomId, '/aliases')), { aliases: [hers] })
    })

    it('takes a removed alias out of the room’s addresses where its remover may', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice, { preset: 'public_chat' })
      await town.call(bob, 'POST', inRoom(roomId, '/join'), {})
      const [main, other] = ['#main:test.example', '#other:test.example']
      await town.call(alice, 'PUT', named(main), { room_id: roomId })
      await town.call(bob, 'PUT', named(other), { room_id: roomId })
      const state = inRoom(roomId, '/state/m.room.canonical_alias/')
      await town.call(alice, 'PUT', state, { alias: main, alt_aliases: [main, other] })
      await town.call(bob, 'DELETE', named(other))
      assert.deepEqual(await town.call(alice, 'GET', state), { alias: main, alt_aliases: [main, other] })
      await town.call(alice, 'PUT', state, { alias: main, alt_aliases: [other] })
      await town.call(alice, 'DELETE', named(main))
      assert.deepEqual(await town.call(alice, 'GET', state), { alt_aliases: [other] })
    })

    it('lets a room say that it has no main address, and names only such as point at it', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice, { preset: 'public_chat' })
      const main = '#main:test.example'
      await town.call(alice, 'PUT', named(main), { room_id: roomId })
      const state = inRoom(roomId, '/state/m.room.canonical_alias/')
      for (const content of [{ alias: null, alt_aliases: [main] }, { alias: '' }, {}, { alias: main }])
        await town.call(alice, 'PUT', state, content)
      for (const [content, errcode] of [
        [{ alias: '#other:test.example' }, 'M_BAD_ALIAS'],
        [{ alt_aliases: [main, '#other:test.example'] }, 'M_BAD_ALIAS'],
        [{ alias: 7 }, 'M_INVALID_PARAM'],
        [{ alt_aliases: ['main'] }, 'M_INVALID_PARAM'],
        [{ alt_aliases: main }, 'M_INVALID_PARAM'],
        [{ alt_aliases: null }, 'M_INVALID_PARAM'],
      ] as const) {
        const answer = await town.send(alice, 'PUT', state, content as unknown as JsonObject)
        assert.deepEqual(refusal(answer), [400, errcode], JSON.stringify(content))
      }
      const many = Array.from({ length: 51 }, (_, at) => `#m${at}:test.example`)
      assert.deepEqual(refusal(await town.send(alice, 'PUT', state, { alt_aliases: many })), [
        400,
        'M_INVALID_PARAM',
      ])
      assert.deepEqual(await town.call(alice, 'GET', state), { alias: main })
      // No server is asked for who may not set it: this one would not answer.
      await town.call(bob, 'POST', inRoom(roomId, '/join'), {})
      const elsewhere = await town.send(bob, 'PUT', state, { alias: '#main:127.0.0.1:1' })
      assert.deepEqual(refusal(elsewhere), [403, 'M_FORBIDDEN'])
    })
  })

  describe(`the public directory on ${driver.name}`, { skip: driver.skip }, () => {
    it('lists what is published, at once, and forgets it at once', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      assert.deepEqual(idsOf(await town.call(undefined, 'GET', '/publicRooms')), [])
      const roomId = await town.room(alice, {
        preset: 'public_chat',
        visibility: 'public',
        room_alias_name: 'map',
        name: 'Un nom français',
        topic: 'Maps',
        creation_content: { type: 'm.space' },
        initial_state: [
          { type: 'm.room.avatar', content: { url: 'mxc://test.example/abc' } },
          { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
        ],
      })
      assert.deepEqual(chunk(await town.call(undefined, 'GET', '/publicRooms')), [
        {
          room_id: roomId,
          num_joined_members: 1,
          world_readable: true,
          guest_can_join: false,
          name: 'Un nom français',
          topic: 'Maps',
          canonical_alias: '#map:test.example',
          avatar_url: 'mxc://test.example/abc',
          join_rule: 'public',
          room_type: 'm.space',
        },
      ])
      assert.deepEqual(await town.call(undefined, 'GET', listing(roomId)), { visibility: 'public' })
      const no = await town.send(bob, 'PUT', listing(roomId), { visibility: 'private' })
      assert.deepEqual(refusal(no), [403, 'M_FORBIDDEN'])
      await town.call(alice, 'PUT', listing(roomId), { visibility: 'private' })
      assert.deepEqual(await town.call(undefined, 'GET', listing(roomId)), { visibility: 'private' })
      assert.deepEqual(idsOf(await town.call(undefined, 'GET', '/publicRooms')), [])
      const unknown = await town.send(undefined, 'GET', listing('!nothing:test.example'))
      assert.deepEqual(refusal(unknown), [404, 'M_NOT_FOUND'])
    })

    it('shows changes of a listed room within seconds', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const roomId = await town.room(alice, { preset: 'public_chat', visibility: 'public' })
      await town.call(undefined, 'GET', '/publicRooms')
      await town.call(alice, 'PUT', inRoom(roomId, '/state/m.room.name/'), { name: 'New' })
      await town.call(bob, 'POST', inRoom(roomId, '/join'), {})
      town.pass(5)
      const [room] = chunk(await town.call(undefined, 'GET', '/publicRooms'))
      assert.deepEqual([room!['name'], room!['num_joined_members']], ['New', 2])
    })

    it('searches names, topics and aliases, and tells types apart', async () => {
      await using town = await openTown(driver)
      const { alice } = town
      const publish = (more: JsonObject): Promise<string> =>
        town.room(alice, { preset: 'public_chat', visibility: 'public', ...more })
      const wombles = await publish({ topic: 'All about WOMBLES' })
      const space = await publish({ name: 'wombles united', creation_content: { type: 'm.space' } })
      const maps = await publish({ room_alias_name: 'maps' })
      const search = async (filter: JsonObject): Promise<string[]> =>
        idsOf(await town.call(alice, 'POST', '/publicRooms', { filter })).toSorted()
      assert.deepEqual(await search({ generic_search_term: 'Wombles' }), [wombles, space].toSorted())
      assert.deepEqual(await search({ generic_search_term: '#maps:' }), [maps])
      assert.deepEqual(await search({ room_types: ['m.space'] }), [space])
      assert.deepEqual(await search({ room_types: [null] }), [wombles, maps].toSorted())
      assert.deepEqual(await search({ room_types: [] }), [])
      assert.deepEqual(await search({ generic_search_term: 'wombles', room_types: [null] }), [wombles])
    })

    it('pages forwards and back, the largest rooms first, and is not confused by rooms that go', async () => {
      await using town = await openTown(driver)
      const { alice, bob } = town
      const rooms: string[] = []
      for (let i = 0; i < 5; i++) {
        rooms.push(await town.room(alice, { preset: 'public_chat', visibility: 'public', name: `${i}` }))
      }
      await town.call(bob, 'POST', inRoom(rooms[4]!, '/join'), {})
      const order = [rooms[4], rooms[0], rooms[1], rooms[2], rooms[3]]
      const page = (since: unknown): Promise<JsonObject> =>
        town.call(
          undefined,
          'GET',
          `/publicRooms?limit=2${since === undefined ? '' : `&since=${since as string}`}`,
        )
      const first = await page(undefined)
      assert.deepEqual([idsOf(first), first['prev_batch']], [order.slice(0, 2), undefined])
      assert.equal(first['total_room_count_estimate'], 5)
      const second = await page(first['next_batch'])
      assert.deepEqual(idsOf(second), order.slice(2, 4))
      const third = await page(second['next_batch'])
      assert.deepEqual([idsOf(third), third['next_batch']], [order.slice(4), undefined])
      assert.deepEqual(idsOf(await page(third['prev_batch'])), order.slice(2, 4))
      assert.deepEqual(idsOf(await page(second['prev_batch'])), order.slice(0, 2))
      await town.call(alice, 'PUT', listing(rooms[0]!), { visibility: 'private' })
      assert.deepEqual(idsOf(await page(first['next_batch'])), order.slice(2, 4))
      assert.deepEqual(refusal(await town.send(undefined, 'GET', '/publicRooms?since=x')), [
        400,
        'M_INVALID_PARAM',
      ])
    })

    it('keeps the directories of networks apart', async () => {
      await using town = await openTown(driver)
      const { alice } = town
      const own = await town.room(alice, { preset: 'public_chat', visibility: 'public' })
      const bridged = await town.room(alice, { preset: 'public_chat' })
      await town.publishOnNetwork('irc', bridged)
      town.publicRooms.changed()
      const list = async (more: JsonObject): Promise<unknown[]> =>
        idsOf(await town.call(alice, 'POST', '/publicRooms', more))
      assert.deepEqual(await list({}), [own])
      assert.deepEqual(await list({ third_party_instance_id: 'irc' }), [bridged])
      assert.deepEqual(await list({ third_party_instance_id: 'other' }), [])
      assert.deepEqual(await list({ include_all_networks: true }), [own, bridged])
      const elsewhere = await town.send(alice, 'GET', '/publicRooms?server=elsewhere.example')
      assert.deepEqual(refusal(elsewhere), [502, 'M_UNKNOWN'])
    })
  })
}
