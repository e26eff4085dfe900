import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { openSlider } from '../sync/sliding/test-slider.ts'
import { openPeople, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent
const FILTER = 'org.matrix.msc4155.invite_permission_config'

const set = (who: Person, type: string, content: JsonObject): Promise<JsonObject> =>
  who.call('PUT', `/user/${escaped(who.userId)}/account_data/${type}`, content)

async function newRoom(who: Person): Promise<string> {
  return (await who.call('POST', '/createRoom', { preset: 'private_chat' }))['room_id'] as string
}

/** `[200]`, or how an invitation into a new room is refused; and the room. */
async function invite(who: Person, whom: Person): Promise<{ answer: unknown[]; roomId: string }> {
  const roomId = await newRoom(who)
  const body = { user_id: whom.userId }
  const { status, body: answer } = await who.ask('POST', `/rooms/${escaped(roomId)}/invite`, body)
  return { answer: status === 200 ? [200] : [status, answer['errcode']], roomId }
}

const BLOCKED = [403, 'M_INVITE_BLOCKED']

async function invitesOf(who: Person): Promise<string[]> {
  const { rooms } = (await who.call('GET', '/sync')) as { rooms?: { invite?: JsonObject } }
  return Object.keys(rooms?.invite ?? {})
}

for (const driver of await findServerDrivers()) {
  describe(`who may invite somebody on ${driver.name}`, { skip: driver.skip }, () => {
    it('nobody, where they want no invitations, by whatever way', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      await set(alice, 'm.invite_permission_config', { default_action: 'block' })
      const { answer, roomId } = await invite(bob, alice)
      assert.deepEqual(answer, BLOCKED)
      const created = await bob.ask('POST', '/createRoom', { invite: [alice.userId] })
      assert.deepEqual([created.status, created.body['errcode']], BLOCKED)
      const member = `/rooms/${escaped(roomId)}/state/m.room.member/${escaped(alice.userId)}`
      const state = await bob.ask('PUT', member, { membership: 'invite' })
      assert.deepEqual([state.status, state.body['errcode']], BLOCKED)
      assert.deepEqual(await invitesOf(alice), [])
      // Anything else means what it meant before.
      await set(alice, 'm.invite_permission_config', { default_action: 'org.example.later' })
      const allowed = await invite(bob, alice)
      assert.deepEqual(allowed.answer, [200])
      assert.deepEqual(await invitesOf(alice), [allowed.roomId])
    })

    it('whom their rules allow: users before servers, and what allows before what forbids', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const carol = await people.register('carol')
      const answers = async (content: JsonObject): Promise<unknown[]> => {
        await set(alice, FILTER, content)
        return [(await invite(bob, alice)).answer, (await invite(carol, alice)).answer]
      }
      assert.deepEqual(await answers({ blocked_users: [bob.userId] }), [BLOCKED, [200]])
      assert.deepEqual(await answers({ blocked_users: ['@?arol:*'] }), [[200], BLOCKED])
      assert.deepEqual(await answers({ blocked_servers: ['test.*'] }), [BLOCKED, BLOCKED])
      const but = { blocked_servers: ['*'], allowed_users: [carol.userId] }
      assert.deepEqual(await answers(but), [BLOCKED, [200]])
      assert.deepEqual(await answers({ ...but, blocked_users: [carol.userId] }), [BLOCKED, [200]])
      assert.deepEqual(await answers({ allowed_servers: ['*'], blocked_users: [bob.userId] }), [
        BLOCKED,
        [200],
      ])
      assert.deepEqual(await answers({ ...but, enabled: false }), [[200], [200]])
      assert.deepEqual(await answers({ blocked_users: null, blocked_servers: 5 } as unknown as JsonObject), [
        [200],
        [200],
      ])
    })

    it('those whom they ignore are told nothing, and neither are they themselves', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const carol = await people.register('carol')
      await set(alice, FILTER, { ignored_users: [bob.userId] })
      const unseen = await invite(bob, alice)
      assert.deepEqual(unseen.answer, [200])
      const seen = await invite(carol, alice)
      assert.deepEqual(await invitesOf(alice), [seen.roomId])
      const list = { ranges: [[0, 20]], timeline_limit: 1, required_state: [] }
      const slider = openSlider(people.server, alice.token, { lists: { all: list } })
      const { rooms } = (await slider.next()) as { rooms: JsonObject }
      assert.equal(rooms[unseen.roomId], undefined)
      assert.notEqual(rooms[seen.roomId], undefined)
    })
  })
}
