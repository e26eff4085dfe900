import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../accounts/administer.ts'
import { federationRoutes } from '../federation/routes.ts'
import { adminEndpoints, openAdminWorld } from '../synapse-admin/test-admin.ts'
import { ok } from '../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import { findServerDrivers } from '../test-server.ts'

const segment = encodeURIComponent

for (const driver of await findServerDrivers()) {
  describe(`the list of rooms, on ${driver.name}`, { skip: driver.skip }, () => {
    it('says what the rooms say now, also after a change, a redaction, a restart and a purge', async () => {
      await using world = await openAdminWorld(driver)
      const owner = await world.server.register('owner')
      const make = async (name: string): Promise<string> =>
        (await world.client(owner, 'POST', '/createRoom', { name }))['room_id'] as string
      const list = async (query = ''): Promise<unknown[]> =>
        ((await world.ask('GET', `/v1/rooms?${query}`))['rooms'] as JsonObject[]).map((one) => one['name'])
      const rows = async (): Promise<unknown[]> =>
        (
          await world.server.hs.db.query(
            'SELECT name FROM room_descriptions WHERE is_due = 0 ORDER BY name',
            [],
          )
        ).map((row) => row['name'])
      const setName = async (room: string, name: string): Promise<string> =>
        (await world.client(owner, 'PUT', `/rooms/${segment(room)}/state/m.room.name/`, { name }))[
          'event_id'
        ] as string

      const [first, second] = [await make('Ömer’s room'), await make('Zebra')]
      assert.deepEqual(await list(), ['Zebra', 'Ömer’s room'])
      // In any case of letters, of any alphabet; and what stands for others in a pattern stands for itself.
      assert.deepEqual(await list(`search_term=${segment('ÖMER')}`), ['Ömer’s room'])
      assert.deepEqual(await list(`search_term=${segment('%')}`), [])
      assert.deepEqual(await list(`search_term=${segment('_')}`), [])
      const renamed = await setName(second, 'Aardvark')
      assert.deepEqual(await list(), ['Aardvark', 'Ömer’s room'])
      await world.client(owner, 'PUT', `/rooms/${segment(second)}/redact/${segment(renamed)}/1`, {})
      assert.deepEqual(await list(), [null, 'Ömer’s room'])
      await setName(second, 'Gnu')
      assert.deepEqual(await list('dir=b'), ['Ömer’s room', 'Gnu'])
      assert.deepEqual(await rows(), ['Gnu', 'Ömer’s room'])

      // As after an update: what was there before is looked at in the background.
      const due = { sql: "UPDATE room_descriptions SET is_due = 1, name = '', folded_name = ''", params: [] }
      await world.server.hs.db.commit({ entries: [], steps: [due] })
      await world.restart()
      assert.deepEqual(await list(), ['Gnu', 'Ömer’s room'])

      await world.ask('DELETE', `/v1/rooms/${segment(first)}`, { purge: true })
      await world.server.hs.jobs.idle()
      assert.deepEqual(await list(), ['Gnu'])
      assert.deepEqual(await rows(), ['Gnu'])
    })
  })
}

it('a room of other servers has its name in the list as soon as somebody of ours is in it', async () => {
  await using world = await startFederatedServers(2, { endpoints: [...adminEndpoints, ...federationRoutes] })
  const [ours, theirs] = world.servers as [FederatedServer, FederatedServer]
  const [root, remote] = [await ours.register('root'), await theirs.register('remo')]
  await setStanding(ours.hs, root.userId as UserId, 'admin', true)
  const body = { name: 'Far away', preset: 'public_chat' }
  const roomId = (await ok(theirs, remote, 'POST', '/createRoom', body))['room_id'] as string
  await ok(ours, root, 'POST', `/join/${segment(roomId)}?via=hs2.test`, {})
  const answer = await ours.request('GET', '/_synapse/admin/v1/rooms?search_term=far', { token: root.token })
  const [found] = answer.json()['rooms'] as JsonObject[]
  assert.deepEqual(
    [found?.['room_id'], found?.['name'], found?.['creator']],
    [roomId, 'Far away', remote.userId],
  )
})
