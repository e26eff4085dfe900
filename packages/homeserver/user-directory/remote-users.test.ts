import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../client/routes.ts'
import { openPartialRoom } from '../federation/joining/test-partial-room.ts'
import { federationRoutes } from '../federation/routes.ts'
import { ok } from '../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'

const segment = encodeURIComponent
const drivers = await findServerDrivers()

async function search(server: TestServer, who: TestLogin, term: string): Promise<JsonObject[]> {
  const { results } = await ok(server, who, 'POST', '/user_directory/search', { search_term: term })
  return results as JsonObject[]
}

const names = (results: readonly JsonObject[]): unknown[] => results.map((one) => one['display_name'])

describe('users of other servers in the user directory', () => {
  it('are found by the names of open rooms and of rooms that the asker is in, and by no other', async () => {
    await using world = await startFederatedServers(2, { endpoints: [...clientRoutes, ...federationRoutes] })
    const [ours, theirs] = world.servers as [FederatedServer, FederatedServer]
    const [insider, outsider] = [await ours.register('insider'), await ours.register('outsider')]
    const remote = await theirs.register('remo')
    await ok(theirs, remote, 'PUT', `/profile/${segment(remote.userId)}/displayname`, {
      displayname: 'Remo Public',
    })
    const makeRoom = async (preset: string): Promise<string> => {
      const made = await ok(ours, insider, 'POST', '/createRoom', { preset, invite: [remote.userId] })
      const roomId = made['room_id'] as string
      await ok(theirs, remote, 'POST', `/join/${segment(roomId)}?via=hs1.test`, {})
      return roomId
    }
    const show = async (roomId: string, displayname: string): Promise<void> => {
      const path = `/rooms/${segment(roomId)}/state/m.room.member/${segment(remote.userId)}`
      const sent = await ok(theirs, remote, 'PUT', path, { membership: 'join', displayname })
      await arrived(ours, insider, roomId, sent['event_id'] as string)
    }
    const secret = await makeRoom('private_chat')
    await show(secret, 'Secret Sally')
    // By no name: nothing that is open to all shows them.
    assert.deepEqual(await search(ours, outsider, 'remo'), [])
    assert.deepEqual(names(await search(ours, insider, 'sally')), ['Secret Sally'])
    const open = await makeRoom('public_chat')
    assert.deepEqual(await search(ours, outsider, 'sally'), [])
    assert.deepEqual(names(await search(ours, outsider, remote.userId)), ['Remo Public'])
    assert.equal((await search(ours, insider, 'remo')).length, 1)
    await show(open, 'Remo Renamed')
    assert.deepEqual(await search(ours, outsider, 'public'), [])
    assert.deepEqual(names(await search(ours, outsider, 'remo')), ['Remo Renamed'])
    // What was shown is taken back.
    const state = await ok(ours, insider, 'GET', `/rooms/${segment(open)}/state`)
    const member = (state as unknown as JsonObject[]).find((event) => event['state_key'] === remote.userId)!
    await ok(
      ours,
      insider,
      'PUT',
      `/rooms/${segment(open)}/redact/${segment(member['event_id'] as string)}/1`,
      {},
    )
    assert.deepEqual(await search(ours, outsider, 'renamed'), [])
    assert.deepEqual(names(await search(ours, outsider, 'remo')), [undefined])
    // When the last of ours has left, we do not hear of the room any more.
    await ok(ours, insider, 'POST', `/rooms/${segment(open)}/leave`, {})
    assert.deepEqual(await search(ours, outsider, 'remo'), [])
    await ours.hs.userDirectory.idle()
    const left = await ours.hs.db.query<{ display_name: string }>(
      'SELECT display_name FROM directory_names WHERE user_id = ?',
      [remote.userId],
    )
    assert.deepEqual(
      left.map((row) => row.display_name),
      ['Secret Sally'],
    )
  })

  for (const driver of drivers) {
    it(
      `are found once the members of a room have come, on ${driver.name}`,
      { skip: driver.skip },
      async () => {
        await using scene = await openPartialRoom(driver)
        const rod = await scene.resident.register('rod')
        await scene.ask(scene.resident, rod, 'POST', `/join/${segment(scene.roomId)}`, {})
        // Of a room without a name, the members that it is called by come at once.
        const name = `/rooms/${segment(scene.roomId)}/state/m.room.name`
        await scene.ask(scene.resident, scene.alice, 'PUT', name, { name: 'A room' })
        await scene.join()
        const ids = async (term: string): Promise<unknown[]> =>
          (await search(scene.ours, scene.bob, term)).map((one) => one['user_id'])
        assert.deepEqual(await ids('bob'), [scene.bob.userId])
        assert.deepEqual(await ids('rod'), [])
        await scene.complete()
        assert.deepEqual(await ids('rod'), [rod.userId])
      },
    )
  }
})

/** Resolves when an event can be read. */
async function arrived(server: TestServer, who: TestLogin, roomId: string, eventId: string): Promise<void> {
  let since = ''
  for (;;) {
    const path = `/_matrix/client/v3/rooms/${segment(roomId)}/event/${segment(eventId)}`
    const sync = await ok(server, who, 'GET', `/sync?timeout=0${since}`)
    if ((await server.request('GET', path, { token: who.token })).status === 200) return
    since = `&since=${segment(sync['next_batch'] as string)}`
    await ok(server, who, 'GET', `/sync?timeout=30000${since}`)
  }
}
