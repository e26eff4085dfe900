import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { countMembers } from '@causeway/store/tables/rooms.ts'
import { clientRoutes } from '../../client/routes.ts'
import { appendEvent } from '../../rooms/append-event.ts'
import { writeToRoom } from '../../rooms/write-to-room.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import { federationRoutes } from '../routes.ts'

const MEMBERS = 10_000
const AT_ONCE = 500

/** Members without accounts: what the room says of them is all that counts here. */
async function fill({ hs }: FederatedServer, roomId: RoomId): Promise<void> {
  for (let from = 0; from < MEMBERS; from += AT_ONCE) {
    await writeToRoom(hs.rooms, roomId, async (write) => {
      for (let i = from; i < from + AT_ONCE; i++) {
        const userId = `@member${i}:${hs.serverName}` as UserId
        const content: JsonObject = { membership: 'join', displayname: `Member ${i}` }
        await appendEvent(hs.rooms, write, {
          type: 'm.room.member',
          sender: userId,
          stateKey: userId,
          content,
        })
      }
      return { value: undefined }
    })
  }
}

describe('a room of 10,000 members', () => {
  it('can be read and written in at once; its members follow', async (t) => {
    await using world = await startFederatedServers(2, {
      endpoints: [...clientRoutes, ...federationRoutes],
    })
    const [one, two] = world.servers as [FederatedServer, FederatedServer]
    const [alice, bob] = [await one.register('alice'), await two.register('bob')]
    const made = await one.request('POST', '/_matrix/client/v3/createRoom', {
      token: alice.token,
      body: { preset: 'public_chat', name: 'Crowd' },
    })
    const roomId = made.json()['room_id'] as RoomId
    const clock = one.hs.clock
    let at = clock.monotonic()
    const lap = (what: string): void => {
      t.diagnostic(`${what}: ${Math.round(clock.monotonic() - at)} ms`)
      at = clock.monotonic()
    }
    await fill(one, roomId)
    lap(`${MEMBERS} members made`)
    const joined = await two.request(
      'POST',
      `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${one.name}`,
      { token: bob.token, body: {} },
    )
    assert.equal(joined.status, 200, Buffer.from(joined.bytes).toString())
    lap('until joined')
    const filter = encodeURIComponent('{"room":{"state":{"lazy_load_members":true}}}')
    const read = await two.request('GET', `/_matrix/client/v3/sync?filter=${filter}`, { token: bob.token })
    const { join } = read.json()['rooms'] as { join: Record<string, unknown> }
    assert.ok(join[roomId] !== undefined)
    lap('until read')
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/1`
    const sent = await two.request('PUT', path, { token: bob.token, body: { msgtype: 'm.text', body: 'hi' } })
    assert.equal(sent.status, 200)
    lap('until written')
    await two.hs.joining.completion.idle()
    assert.deepEqual(two.hs.rooms.partial.list(), [])
    lap('until complete')
    const members = await two.request(
      'GET',
      `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/joined_members`,
      { token: bob.token },
    )
    assert.equal(Object.keys(members.json()['joined'] as JsonObject).length, MEMBERS + 2)
    const [row] = await two.hs.db.query<{ nid: number }>('SELECT nid FROM rooms WHERE room_id = ?', [roomId])
    assert.equal(await countMembers(two.hs.db, row!.nid, 'join'), MEMBERS + 2)
    lap('all members read')
  })
})
