import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers, type ServerDriver, type TestServer } from '../../test-server.ts'
import { createTestPeers, joinFromElsewhere, refused, unreachable, type TestPeers } from '../test-peers.ts'

const FAR = 'far.example'

interface Scene extends AsyncDisposable {
  peers: TestPeers
  here: TestServer
  far: TestServer
  /** As Alice, here. */
  ask(method: string, path: string, body?: JsonObject): Promise<{ status: number; body: JsonObject }>
  /** As Rita, there. */
  there(method: string, path: string, body?: JsonObject): Promise<JsonObject>
}

async function open(driver: ServerDriver): Promise<Scene> {
  const peers = createTestPeers()
  const here = await peers.start(driver, 'here.example')
  const far = await peers.start(driver, FAR)
  const [alice, rita] = [await here.register('alice'), await far.register('rita')]
  const send = async (server: TestServer, token: string, method: string, path: string, body?: JsonObject) => {
    const url = `/_matrix/client/v3${path}`
    const answer = await server.request(method, url, { token, ...(body && { body }) })
    return { status: answer.status, body: answer.json() }
  }
  return {
    peers,
    here,
    far,
    ask: (method, path, body) => send(here, alice.token, method, path, body),
    async there(method, path, body) {
      const answer = await send(far, rita.token, method, path, body)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    },
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]()
      await far[Symbol.asyncDispose]()
    },
  }
}

const RITA = '/profile/%40rita%3Afar.example'

for (const driver of await findServerDrivers()) {
  describe(`people and rooms of other servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('profiles are asked of their server, whole or by field, and kept for a moment', async () => {
      await using scene = await open(driver)
      await scene.there('PUT', `${RITA}/displayname`, { displayname: 'Rita' })
      await scene.there('PUT', `${RITA}/org.example.color`, { 'org.example.color': ['red', 1] })
      const whole = await scene.ask('GET', RITA)
      assert.deepEqual(whole, { status: 200, body: { displayname: 'Rita', 'org.example.color': ['red', 1] } })
      assert.deepEqual((await scene.ask('GET', `${RITA}/displayname`)).body, { displayname: 'Rita' })
      // A picture that is not set is empty, as with Synapse.
      assert.deepEqual(await scene.ask('GET', `${RITA}/avatar_url`), { status: 200, body: {} })
      assert.deepEqual(scene.peers.takePaths(FAR), ['/_matrix/federation/v1/query/profile'])
      const nobody = await scene.ask('GET', '/profile/%40nobody%3Afar.example')
      assert.deepEqual([nobody.status, nobody.body['errcode']], [404, 'M_NOT_FOUND'])
      const down = await scene.ask('GET', '/profile/%40x%3Adown.example')
      assert.deepEqual([down.status, down.body['errcode']], [502, 'M_UNKNOWN'])
    })

    it('profiles are told to servers about users of ours, with the field alone that was asked for', async () => {
      await using scene = await open(driver)
      await scene.there('PUT', `${RITA}/displayname`, { displayname: 'Rita' })
      await scene.there('PUT', `${RITA}/avatar_url`, { avatar_url: 'mxc://far.example/a' })
      const query = (...pairs: [string, string][]): Promise<JsonObject> =>
        scene.here.hs.federation.client.request(FAR as never, {
          method: 'GET',
          path: '/_matrix/federation/v1/query/profile',
          query: pairs,
        })
      const user: [string, string] = ['user_id', '@rita:far.example']
      assert.deepEqual(await query(user, ['field', 'avatar_url']), { avatar_url: 'mxc://far.example/a' })
      assert.deepEqual(await query(user, ['field', 'm.tz']), {})
      await assert.rejects(query(['user_id', '@alice:here.example']), /answers 400/)
      await assert.rejects(query(['user_id', 'rita']), /answers 400/)
    })

    it('a profile that is no profile reaches neither clients nor invitations', async () => {
      await using scene = await open(driver)
      scene.peers.play(FAR, () => ({ displayname: { evil: 1 }, avatar_url: null, 'org.example.x': 1 }))
      assert.deepEqual((await scene.ask('GET', RITA)).body, { 'org.example.x': 1 })
    })

    it('whoever is invited from another server is shown with their name', async () => {
      await using scene = await open(driver)
      await scene.there('PUT', `${RITA}/displayname`, { displayname: 'Rita' })
      const invite = ['@rita:far.example', '@x:down.example']
      const { body } = await scene.ask('POST', '/createRoom', { invite })
      const member = async (userId: string): Promise<JsonObject> =>
        (
          await scene.ask(
            'GET',
            `/rooms/${encodeURIComponent(body['room_id'] as string)}/state/m.room.member/${encodeURIComponent(userId)}`,
          )
        ).body
      assert.deepEqual(await member(invite[0]!), { membership: 'invite', displayname: 'Rita' })
      // Whose server takes no invitation is not invited.
      assert.equal((await member(invite[1]!))['errcode'], 'M_NOT_FOUND')
    })

    it('aliases are asked of their server, which names the servers in the room', async () => {
      await using scene = await open(driver)
      const made = await scene.there('POST', '/createRoom', { preset: 'public_chat', room_alias_name: 'map' })
      await joinFromElsewhere(scene.far, made['room_id'] as string, '@z:third.example')
      const found = await scene.ask('GET', '/directory/room/%23map%3Afar.example')
      assert.deepEqual(found.body, { room_id: made['room_id'], servers: [FAR, 'third.example'] })
      assert.equal((await scene.ask('GET', '/directory/room/%23no%3Afar.example')).status, 404)
      assert.equal((await scene.ask('GET', '/directory/room/%23no%3Adown.example')).status, 502)
      scene.peers.play('odd.example', () => ({ room_id: 'nonsense', servers: [] }))
      assert.equal((await scene.ask('GET', '/directory/room/%23a%3Aodd.example')).status, 502)
      scene.peers.play('long.example', () => ({
        room_id: '!a:long.example',
        servers: [7, 'not a name', ...Array.from({ length: 500 }, (_, i) => `s${i}.example`)],
      }))
      const long = (await scene.ask('GET', '/directory/room/%23a%3Along.example')).body['servers'] as string[]
      assert.deepEqual([long.length, long[0], long[1]], [100, 'long.example', 's0.example'])
    })

    it('aliases of other servers become addresses of a room when they lead to it, and are not asked again', async () => {
      await using scene = await open(driver)
      const made = await scene.ask('POST', '/createRoom', { room_alias_name: 'map' })
      const roomId = made.body['room_id'] as string
      const state = `/rooms/${encodeURIComponent(roomId)}/state/m.room.canonical_alias`
      const set = async (content: JsonObject): Promise<unknown[]> => {
        const { status, body } = await scene.ask('PUT', state, content)
        return [status, body['errcode']]
      }
      let target = roomId
      scene.peers.play('odd.example', () => ({ room_id: target, servers: ['here.example'] }))
      const other = '#map:odd.example'
      assert.deepEqual(await set({ alias: other, alt_aliases: [] }), [200, undefined])
      assert.deepEqual(await set({ alias: '#gone:far.example' }), [400, 'M_BAD_ALIAS'])
      assert.deepEqual(await set({ alias: '#map:down.example' }), [502, 'M_UNKNOWN'])
      target = '!elsewhere:odd.example'
      assert.deepEqual(await set({ alias: other, alt_aliases: ['#trip:odd.example'] }), [400, 'M_BAD_ALIAS'])
      // What stands there already may have become wrong: it does not keep anybody from changing the rest.
      assert.deepEqual(await set({ alias: '#map:here.example', alt_aliases: [other] }), [200, undefined])
    })

    it('the directory shows published rooms to other servers, page by page and by search', async () => {
      await using scene = await open(driver)
      for (const name of ['Maps', 'Trains', 'Boats']) {
        await scene.there('POST', '/createRoom', { preset: 'public_chat', visibility: 'public', name })
      }
      await scene.there('POST', '/createRoom', { preset: 'public_chat', name: 'Secret maps' })
      const names = ({ body }: { body: JsonObject }): unknown[] =>
        (body['chunk'] as JsonObject[]).map((room) => room['name'])
      const first = await scene.ask('GET', `/publicRooms?server=${FAR}&limit=2`)
      assert.deepEqual(names(first), ['Maps', 'Trains'])
      assert.equal(first.body['total_room_count_estimate'], 3)
      const since = encodeURIComponent(first.body['next_batch'] as string)
      assert.deepEqual(names(await scene.ask('GET', `/publicRooms?server=${FAR}&limit=2&since=${since}`)), [
        'Boats',
      ])
      const search = { filter: { generic_search_term: 'map' } }
      assert.deepEqual(names(await scene.ask('POST', `/publicRooms?server=${FAR}`, search)), ['Maps'])
    })

    it('the directory of another server is no better than it should be', async () => {
      await using scene = await open(driver)
      const room = {
        room_id: '!a:far.example',
        name: 'x',
        num_joined_members: 'many',
        evil: { a: 1 },
        topic: 7,
      }
      scene.peers.play(FAR, () => ({
        chunk: [room, { name: 'no id' }, 7, ...Array.from({ length: 5_000 }, () => room)],
        next_batch: { a: 1 },
        total_room_count_estimate: 'x',
      }))
      const { body } = await scene.ask('GET', `/publicRooms?server=${FAR}&limit=3`)
      const shown = { room_id: '!a:far.example', num_joined_members: 0, world_readable: false }
      assert.deepEqual(body, { chunk: [{ ...shown, guest_can_join: false, name: 'x' }] })
      const outcomes = [
        [() => ({ chunk: 7 }), 502],
        [() => refused(FAR, 403, 'M_FORBIDDEN'), 403],
        [() => unreachable(FAR), 502],
      ] as const
      for (const [play, status] of outcomes) {
        scene.peers.play(FAR, play)
        assert.equal((await scene.ask('GET', `/publicRooms?server=${FAR}`)).status, status)
      }
    })
  })
}
