import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { serveHierarchy } from '../rooms/space/serve-hierarchy.ts'
import { createRemoteSpaces } from '../federation/history/remote-spaces.ts'
import type { FederationClient } from '../federation/federation-client.ts'
import { findServerDrivers } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

const v3 = '/_matrix/client/v3'
const elsewhere = 'elsewhere.example' as ServerName

async function makeRoom(server: TestPeople, name: string, more: JsonObject = {}): Promise<string> {
  const made = await server.call('alice', 'POST', `${v3}/createRoom`, {
    name,
    preset: 'public_chat',
    ...more,
  })
  return made['room_id'] as string
}

const space = { creation_content: { type: 'm.space' } }

function rule(content: JsonObject): JsonObject {
  return { initial_state: [{ type: 'm.room.join_rules', state_key: '', content }] }
}

async function link(server: TestPeople, parent: string, child: string, more: JsonObject = {}): Promise<void> {
  const url = `${v3}/rooms/${encodeURIComponent(parent)}/state/m.space.child/${encodeURIComponent(child)}`
  await server.call('alice', 'PUT', url, { via: ['test.example'], ...more })
}

async function names(server: TestPeople, who: string, root: string, query = ''): Promise<unknown[]> {
  const url = `/_matrix/client/v1/rooms/${encodeURIComponent(root)}/hierarchy${query}`
  return ((await server.call(who, 'GET', url))['rooms'] as JsonObject[]).map((room) => room['name'])
}

for (const driver of await findServerDrivers()) {
  describe(`spaces on ${driver.name}`, { skip: driver.skip }, () => {
    it('are walked in the order of their links, as far as the reader may see, page by page', async () => {
      await using server = await openTestPeople(driver)
      const root = await makeRoom(server, 'root', space)
      const below = await makeRoom(server, 'below', space)
      const rooms = {
        second: await makeRoom(server, 'second'),
        first: await makeRoom(server, 'first'),
        hidden: await makeRoom(server, 'hidden', rule({ join_rule: 'invite' })),
        members: await makeRoom(
          server,
          'members',
          rule({ join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: root }] }),
        ),
        deep: await makeRoom(server, 'deep'),
        gone: await makeRoom(server, 'gone'),
      }
      await link(server, root, rooms.second, { order: 'b' })
      await link(server, root, rooms.first, { order: 'a', suggested: true })
      await link(server, root, below, { order: 'c', suggested: true })
      await link(server, root, rooms.hidden)
      await link(server, root, rooms.members)
      await link(server, root, rooms.gone)
      await link(server, root, rooms.gone, { via: [] })
      await link(server, below, rooms.deep)
      await link(server, below, root)
      assert.deepEqual(await names(server, 'alice', root), [
        'root',
        'first',
        'second',
        'below',
        'deep',
        'hidden',
        'members',
      ])
      assert.deepEqual(await names(server, 'bob', root), ['root', 'first', 'second', 'below', 'deep'])
      await server.call('bob', 'POST', `${v3}/rooms/${encodeURIComponent(root)}/join`, {})
      assert.deepEqual(await names(server, 'bob', root), [
        'root',
        'first',
        'second',
        'below',
        'deep',
        'members',
      ])
      assert.deepEqual(await names(server, 'bob', root, '?suggested_only=true'), ['root', 'first', 'below'])
      assert.deepEqual(await names(server, 'bob', root, '?max_depth=1'), [
        'root',
        'first',
        'second',
        'below',
        'members',
      ])
      const url = `/_matrix/client/v1/rooms/${encodeURIComponent(root)}/hierarchy`
      const paged: unknown[] = []
      let from = ''
      for (let page = 0; page < 10; page++) {
        const answer = await server.call('bob', 'GET', `${url}?limit=2${from}`)
        paged.push(...(answer['rooms'] as JsonObject[]).map((room) => room['name']))
        if (answer['next_batch'] === undefined) break
        from = `&from=${answer['next_batch'] as string}`
      }
      assert.deepEqual(paged, await names(server, 'bob', root))
      const told = (await server.call('bob', 'GET', url))['rooms'] as JsonObject[]
      const allowedOf = (id: string) => told.find((room) => room['room_id'] === id)!['allowed_room_ids']
      assert.deepEqual([allowedOf(rooms.members), allowedOf(rooms.first)], [[root], undefined])
      await assert.rejects(names(server, 'bob', root, '?from=2_0_-&max_depth=1'), /M_INVALID_PARAM/)
      await assert.rejects(names(server, 'bob', rooms.hidden), /M_FORBIDDEN/)
    })

    it('are told to other servers with what they may know of, and their children asked of others', async () => {
      await using server = await openTestPeople(driver)
      const root = await makeRoom(server, 'root', space)
      const open = await makeRoom(server, 'open')
      const hidden = await makeRoom(server, 'hidden', rule({ join_rule: 'invite' }))
      const far = '!far:elsewhere.example'
      await link(server, root, open)
      await link(server, root, hidden)
      await link(server, root, far, { via: [elsewhere] })
      const told = await serveHierarchy(server.hs.rooms, elsewhere, root as RoomId, false)
      assert.deepEqual(
        (told['children'] as JsonObject[]).map((room) => room['name']),
        ['open'],
      )
      assert.deepEqual(told['inaccessible_children'], [hidden])
      assert.equal(((told['room'] as JsonObject)['children_state'] as unknown[]).length, 3)
      await assert.rejects(
        serveHierarchy(server.hs.rooms, elsewhere, hidden as RoomId, false),
        /can tell you nothing/,
      )
      let asked = 0
      const summary = (roomId: string, more: JsonObject): JsonObject => ({
        room_id: roomId,
        num_joined_members: 2,
        world_readable: false,
        guest_can_join: false,
        join_rule: 'public',
        children_state: [],
        ...more,
      })
      const request: FederationClient['request'] = async () => {
        asked++
        const children = ['!x:elsewhere.example', '!y:elsewhere.example'].map((stateKey) => ({
          type: 'm.space.child',
          state_key: stateKey,
          sender: '@z:elsewhere.example',
          content: { via: [elsewhere] },
          origin_server_ts: 1,
        }))
        return {
          room: summary(far, { name: 'far', room_type: 'm.space', children_state: children }),
          children: [
            summary('!x:elsewhere.example', { name: 'x' }),
            summary('!y:elsewhere.example', { name: 'y', join_rule: 'invite' }),
          ],
          inaccessible_children: [],
        }
      }
      const budget = createMemoryBudget(1_000_000)
      const client: FederationClient = { ...server.hs.federation.client, request }
      Object.assign(server.hs, {
        remoteSpaces: createRemoteSpaces({ clock: server.hs.clock, budget, client }),
      })
      assert.deepEqual(await names(server, 'alice', root), ['root', 'open', 'hidden', 'far', 'x'])
      assert.deepEqual(await names(server, 'bob', root), ['root', 'open', 'far', 'x'])
      assert.equal(asked, 1)
    })
  })
}
