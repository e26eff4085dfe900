import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createTestPeers } from '../federation/test-peers.ts'
import { findServerDrivers, type TestServer } from '../test-server.ts'
import { openTestPeople } from './test-people.ts'

const v3 = '/_matrix/client/v3'
const summaryOf = (room: string): string => `/_matrix/client/v1/room_summary/${encodeURIComponent(room)}`

function rule(content: JsonObject): JsonObject {
  return { initial_state: [{ type: 'm.room.join_rules', state_key: '', content }] }
}

const members = (room: string): JsonObject =>
  rule({ join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: room }] })

async function createRoom(server: TestServer, token: string, body: JsonObject): Promise<string> {
  const made = await server.request('POST', `${v3}/createRoom`, { token, body })
  assert.equal(made.status, 200)
  return made.json()['room_id'] as string
}

for (const driver of await findServerDrivers()) {
  describe(`the summary of a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('tells what a room is and how the asker stands to it, by id and by alias', async () => {
      await using server = await openTestPeople(driver)
      const made = await server.call('alice', 'POST', `${v3}/createRoom`, {
        name: 'Tea',
        topic: 'Hot drinks',
        room_alias_name: 'tea',
        room_version: '11',
        preset: 'public_chat',
        initial_state: [
          { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
        ],
      })
      const roomId = made['room_id'] as string
      const expected = {
        room_id: roomId,
        name: 'Tea',
        topic: 'Hot drinks',
        canonical_alias: '#tea:test.example',
        num_joined_members: 1,
        world_readable: false,
        guest_can_join: false,
        join_rule: 'public',
        room_version: '11',
        encryption: 'm.megolm.v1.aes-sha2',
      }
      const byId = await server.call('alice', 'GET', summaryOf(roomId))
      assert.deepEqual(byId, { ...expected, membership: 'join' })
      const byAlias = await server.call('bob', 'GET', summaryOf('#tea:test.example'))
      assert.deepEqual(byAlias, { ...expected, membership: 'leave' })
      assert.deepEqual(await server.call(undefined, 'GET', summaryOf(roomId)), expected)
      for (const old of ['summary/%', 'rooms/%/summary']) {
        const path = `/_matrix/client/unstable/im.nheko.summary/${old.replace('%', encodeURIComponent('#tea:test.example'))}`
        assert.equal((await server.call('bob', 'GET', path))['name'], 'Tea')
      }
    })

    it('names the rooms whose members may join, to them alone', async () => {
      await using server = await openTestPeople(driver)
      const create = async (body: JsonObject): Promise<string> =>
        (await server.call('alice', 'POST', `${v3}/createRoom`, body))['room_id'] as string
      const space = await create({ preset: 'public_chat', creation_content: { type: 'm.space' } })
      const room = await create({ ...members(space), room_version: '8' })
      const told = await server.call('alice', 'GET', summaryOf(room))
      assert.deepEqual(told['allowed_room_ids'], [space])
      assert.equal((await server.call('alice', 'GET', summaryOf(space)))['allowed_room_ids'], undefined)
      for (const who of ['bob', undefined]) {
        const refusal = await server.send(who, { method: 'GET', url: summaryOf(room) })
        assert.equal(refusal.status, 404)
        assert.equal(refusal.json()['errcode'], 'M_NOT_FOUND')
      }
      await server.call('bob', 'POST', `${v3}/rooms/${encodeURIComponent(space)}/join`, {})
      assert.equal((await server.call('bob', 'GET', summaryOf(room)))['membership'], 'leave')
    })

    it('asks other servers of their rooms, for those who are logged in, and asks again who refused', async () => {
      const peers = createTestPeers()
      await using here = await peers.start(driver, 'here.example')
      await using there = await peers.start(driver, 'there.example')
      const ann = await here.register('ann')
      const bob = await there.register('bob')
      const open = await createRoom(there, bob.token, {
        name: 'Open',
        preset: 'public_chat',
        room_alias_name: 'open',
      })
      const hidden = await createRoom(there, bob.token, { name: 'Hidden', preset: 'private_chat' })
      const get = (room: string, token?: string): ReturnType<typeof here.request> =>
        here.request('GET', `${summaryOf(room)}?via=there.example`, token === undefined ? {} : { token })
      for (const room of [open, '#open:there.example']) {
        const told = (await get(room, ann.token)).json()
        assert.equal(told['name'], 'Open')
        assert.equal(told['room_id'], open)
        assert.equal(told['membership'], 'leave')
      }
      peers.takePaths('there.example')
      assert.equal((await get(open)).status, 404)
      assert.deepEqual(peers.takePaths('there.example'), [])

      assert.equal((await get(hidden, ann.token)).status, 404)
      const invite = await there.request('POST', `${v3}/rooms/${encodeURIComponent(hidden)}/invite`, {
        token: bob.token,
        body: { user_id: ann.userId },
      })
      assert.equal(invite.status, 200)
      const told = (await get(hidden, ann.token)).json()
      assert.equal(told['name'], 'Hidden')
      assert.equal(told['membership'], 'invite')
    })
  })
}
