import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers, type TestLogin } from '../test-server.ts'
import { openAdminWorld, type AdminWorld } from './test-admin.ts'

const segment = encodeURIComponent

for (const driver of await findServerDrivers()) {
  describe(`Synapse’s interface: redacting a user, on ${driver.name}`, { skip: driver.skip }, () => {
    let world: AdminWorld
    before(async () => void (world = await openAdminWorld(driver)))
    after(() => world[Symbol.asyncDispose]())

    const post = (who: TestLogin, path: string, body: JsonObject) => world.client(who, 'POST', path, body)
    const newRoom = async (owner: TestLogin, ...others: TestLogin[]): Promise<string> => {
      const { room_id: id } = await post(owner, '/createRoom', { preset: 'public_chat' })
      for (const other of others) await post(other, `/join/${segment(id as string)}`, {})
      return id as string
    }
    let said = 0
    const say = async (who: TestLogin, room: string, body: string): Promise<string> => {
      said += 1
      const path = `/rooms/${segment(room)}/send/m.room.message/${said}`
      const answer = await world.client(who, 'PUT', path, { msgtype: 'm.text', body })
      return answer['event_id'] as string
    }
    /** What is left to be read of the messages of a room, the newest first. */
    const bodies = async (who: TestLogin, room: string): Promise<unknown[]> => {
      const path = `/rooms/${segment(room)}/messages?dir=b&limit=100`
      const { chunk } = await world.client(who, 'GET', path)
      const messages = (chunk as JsonObject[]).filter(({ type }) => type === 'm.room.message')
      return messages.map(({ content }) => (content as JsonObject)['body'])
    }
    const finished = async (answer: JsonObject): Promise<JsonObject> => {
      await world.server.hs.jobs.idle()
      return world.ask('GET', `/v1/user/redact_status/${answer['redact_id'] as string}`)
    }

    it('takes what somebody said out of all their rooms, with the name they came by', async () => {
      const owner = await world.server.register('owner')
      const spammer = await world.server.register('spammer')
      const name = { displayname: 'Buy now' }
      await world.client(spammer, 'PUT', `/profile/${segment(spammer.userId)}/displayname`, name)
      const rooms = [await newRoom(owner, spammer), await newRoom(owner, spammer)] as const
      for (const room of rooms) {
        await say(owner, room, 'ours')
        for (const text of ['one', 'two', 'three']) await say(spammer, room, text)
      }
      const path = `/v1/user/${segment(spammer.userId)}/redact`
      const answer = await world.ask('POST', path, { rooms: [], reason: 'spam' })
      assert.deepEqual(await finished(answer), { status: 'complete', failed_redactions: {} })
      for (const room of rooms) {
        assert.deepEqual(await bodies(owner, room), [undefined, undefined, undefined, 'ours'])
        const member = `/rooms/${segment(room)}/state/m.room.member/${segment(spammer.userId)}`
        assert.deepEqual(await world.client(owner, 'GET', member), { membership: 'join' })
      }
      // There is nothing left to be taken.
      const before = await world.client(owner, 'GET', `/rooms/${segment(rooms[0])}/messages?dir=b&limit=1`)
      await finished(await world.ask('POST', path, { rooms: [] }))
      const now = await world.client(owner, 'GET', `/rooms/${segment(rooms[0])}/messages?dir=b&limit=1`)
      assert.deepEqual(
        (now['chunk'] as JsonObject[]).map((one) => one['event_id']),
        (before['chunk'] as JsonObject[]).map((one) => one['event_id']),
      )
    })

    it('takes the newest of each room up to a limit, of one room, of some time', async () => {
      const owner = await world.server.register('owner2')
      const writer = await world.server.register('writer')
      const [room, other] = [await newRoom(owner, writer), await newRoom(owner, writer)]
      for (const text of ['one', 'two', 'three']) await say(writer, room, text)
      await say(writer, other, 'elsewhere')
      const path = `/v1/user/${segment(writer.userId)}/redact`
      await finished(await world.ask('POST', path, { rooms: [room], limit: 2 }))
      assert.deepEqual(await bodies(owner, room), [undefined, undefined, 'one'])
      assert.deepEqual(await bodies(owner, other), ['elsewhere'])
      const future = 4_000_000_000_000
      await finished(await world.ask('POST', path, { rooms: [other], after_ts: future }))
      assert.deepEqual(await bodies(owner, other), ['elsewhere'])
      await finished(await world.ask('POST', path, { rooms: [other], before_ts: future }))
      assert.deepEqual(await bodies(owner, other), [undefined])
    })

    it('tells what was refused: an administrator has no power in a room they are not in', async () => {
      const owner = await world.server.register('owner3')
      const writer = await world.server.register('writer3')
      const room = await newRoom(owner, writer)
      const eventId = await say(writer, room, 'still here')
      const path = `/v1/user/${segment(writer.userId)}/redact`
      const status = await finished(await world.ask('POST', path, { rooms: [room], use_admin: true }))
      assert.equal(status['status'], 'complete')
      assert.match((status['failed_redactions'] as Record<string, string>)[eventId]!, /not in the room/)
      assert.deepEqual(await bodies(owner, room), ['still here'])
      assert.equal(await world.refusal('GET', '/v1/user/redact_status/none'), '404 M_NOT_FOUND')
      assert.equal(await world.refusal('POST', path, { rooms: [room], limit: 0 }), '400 M_BAD_JSON')
    })

    it('goes on after a restart where it was', async () => {
      const owner = await world.server.register('owner4')
      const writer = await world.server.register('writer4')
      const rooms = [await newRoom(owner, writer), await newRoom(owner, writer)]
      for (const room of rooms) for (const text of ['one', 'two']) await say(writer, room, text)
      const path = `/v1/user/${segment(writer.userId)}/redact`
      const answer = await world.ask('POST', path, { rooms })
      await world.restart()
      world.server.hs.jobs.wake()
      const status = await finished(answer)
      assert.deepEqual(status, { status: 'complete', failed_redactions: {} })
      for (const room of rooms) assert.deepEqual(await bodies(owner, room), [undefined, undefined])
    })
  })
}
