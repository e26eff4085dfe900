import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { joinFromElsewhere, leaveFromElsewhere } from '../federation/test-peers.ts'
import { openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

interface Lists {
  readonly changed: string[]
  readonly left: string[]
}

/** Whether the log is still in memory for who asks. */
type Memory = 'in memory' | 'from the tables'

async function lists(on: DeviceServer, as: TestDevice, memory: Memory): Promise<Lists> {
  const { ring } = on.server.hs.log
  const since = ring.since.bind(ring)
  const sinceOf = ring.sinceOf.bind(ring)
  if (memory === 'from the tables') Object.assign(ring, { since: fellBehind, sinceOf: fellBehind })
  try {
    const from = as.since!
    const found = ((await on.sync(as))['device_lists'] ?? { changed: [], left: [] }) as unknown as Lists
    const query = new URLSearchParams({ from, to: as.since! })
    const asked = (await on.call(as, 'GET', `/keys/changes?${query.toString()}`)) as unknown as Lists
    assert.deepEqual(
      [asked.changed.toSorted(), asked.left.toSorted()],
      [found.changed.toSorted(), found.left.toSorted()],
    )
    return { changed: found.changed.toSorted(), left: found.left.toSorted() }
  } finally {
    Object.assign(ring, { since, sinceOf })
  }
}

const fellBehind = (): 'fell-behind' => 'fell-behind'
const nothing: Lists = { changed: [], left: [] }

for (const driver of await findServerDrivers()) {
  for (const memory of ['in memory', 'from the tables'] as const) {
    describe(`device lists ${memory} on ${driver.name}`, { skip: driver.skip }, () => {
      it('tell of new keys of those who share a room, and of no others', async () => {
        await using on = await openDevices(driver)
        const [alice, bob, eve] = [
          await on.register('alice'),
          await on.register('bob'),
          await on.register('eve'),
        ]
        await on.join(bob, await on.createRoom(alice))
        await on.createRoom(eve)
        assert.equal((await on.sync(alice))['device_lists'], undefined)
        await on.publish(bob)
        await on.publish(eve)
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [] })
        assert.deepEqual(await lists(on, alice, memory), nothing)
      })

      it('tell the own other devices', async () => {
        await using on = await openDevices(driver)
        const alice = await on.register('alice')
        await on.sync(alice)
        await on.publish(await on.login(alice))
        assert.deepEqual(await lists(on, alice, memory), { changed: [alice.userId], left: [] })
      })

      it('say nothing of keys that were uploaded a second time', async () => {
        await using on = await openDevices(driver)
        const alice = await on.register('alice')
        const keys = {
          user_id: alice.userId,
          device_id: alice.deviceId,
          algorithms: [],
          keys: {},
          signatures: {},
        }
        await on.call(alice, 'POST', '/keys/upload', { device_keys: keys })
        await on.sync(alice)
        await on.call(alice, 'POST', '/keys/upload', { device_keys: { ...keys, unsigned: { age: 1 } } })
        assert.deepEqual(await lists(on, alice, memory), nothing)
      })

      it('tell who joins, who is met by joining, and who is left, but only at the first and last room', async () => {
        await using on = await openDevices(driver)
        const [alice, bob] = [await on.register('alice'), await on.register('bob')]
        const [first, second] = [await on.createRoom(alice), await on.createRoom(alice)]
        await on.sync(alice)
        await on.sync(bob)
        await on.join(bob, first)
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [] })
        assert.deepEqual(await lists(on, bob, memory), { changed: [alice.userId, bob.userId], left: [] })
        await on.join(bob, second)
        for (const device of [alice, bob]) assert.deepEqual(await lists(on, device, memory), nothing)
        await on.leave(bob, first)
        for (const device of [alice, bob]) assert.deepEqual(await lists(on, device, memory), nothing)
        await on.leave(bob, second)
        assert.deepEqual(await lists(on, alice, memory), { changed: [], left: [bob.userId] })
        assert.deepEqual(await lists(on, bob, memory), { changed: [], left: [alice.userId] })
        await on.publish(bob)
        assert.deepEqual(await lists(on, alice, memory), nothing)
      })

      it('tell of both, when a room was shared for a while only', async () => {
        await using on = await openDevices(driver)
        const [alice, bob] = [await on.register('alice'), await on.register('bob')]
        const roomId = await on.createRoom(alice)
        await on.sync(alice)
        await on.join(bob, roomId)
        await on.leave(bob, roomId)
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [bob.userId] })
        await on.join(bob, roomId)
        await on.sync(alice)
        await on.publish(bob)
        await on.leave(bob, roomId)
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [bob.userId] })
      })

      it('tell of who left, changed and came back in between, and not of who only left and came back', async () => {
        await using on = await openDevices(driver)
        const [alice, bob, carol] = [
          await on.register('alice'),
          await on.register('bob'),
          await on.register('carol'),
        ]
        const roomId = await on.createRoom(alice)
        for (const device of [bob, carol]) await on.join(device, roomId)
        await on.sync(alice)
        for (const device of [bob, carol]) await on.leave(device, roomId)
        await on.publish(bob)
        for (const device of [bob, carol]) await on.join(device, roomId)
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [] })
      })

      it('tell of who left and came back in between from another server, whose changes meanwhile nobody told', async () => {
        await using on = await openDevices(driver)
        const alice = await on.register('alice')
        const [rita, ron] = ['@rita:far.example', '@ron:far.example']
        const [first, second] = [await on.createRoom(alice), await on.createRoom(alice)]
        for (const userId of [rita, ron]) await joinFromElsewhere(on.server, first, userId)
        await joinFromElsewhere(on.server, second, ron)
        await on.sync(alice)
        for (const userId of [rita, ron]) await leaveFromElsewhere(on.server, first, userId)
        for (const userId of [rita, ron]) await joinFromElsewhere(on.server, first, userId)
        assert.deepEqual(await lists(on, alice, memory), { changed: [rita], left: [] })
      })

      it('take a changed display name in the room for no news', async () => {
        await using on = await openDevices(driver)
        const [alice, bob] = [await on.register('alice'), await on.register('bob')]
        await on.join(bob, await on.createRoom(alice))
        await on.sync(alice)
        await on.call(bob, 'PUT', `/profile/${encodeURIComponent(bob.userId)}/displayname`, {
          displayname: 'B',
        })
        assert.deepEqual(await lists(on, alice, memory), nothing)
      })

      it('tell who was left with a room that was forgotten at once', async () => {
        await using on = await openDevices(driver)
        const [alice, bob] = [await on.register('alice'), await on.register('bob')]
        const roomId = await on.createRoom(alice)
        await on.join(bob, roomId)
        await on.sync(bob)
        await on.leave(bob, roomId)
        await on.call(bob, 'POST', `/rooms/${encodeURIComponent(roomId)}/forget`, {})
        assert.deepEqual(await lists(on, bob, memory), { changed: [], left: [alice.userId] })
      })

      it('tell of devices that were removed or renamed', async () => {
        await using on = await openDevices(driver)
        const [alice, bob] = [await on.register('alice'), await on.register('bob')]
        const other = await on.login(bob)
        await on.join(bob, await on.createRoom(alice))
        await on.publish(other)
        await on.sync(alice)
        await on.call(bob, 'PUT', `/devices/${other.deviceId}`, { display_name: 'new' })
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [] })
        await on.call(other, 'POST', '/logout', {})
        assert.deepEqual(await lists(on, alice, memory), { changed: [bob.userId], left: [] })
        const found = await on.call(alice, 'POST', '/keys/query', { device_keys: { [bob.userId]: [] } })
        assert.deepEqual((found['device_keys'] as JsonObject)[bob.userId], {})
      })
    })
  }

  describe(`/keys/changes on ${driver.name}`, { skip: driver.skip }, () => {
    it('refuses what is no token, and is empty for a stretch that runs backwards', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await on.sync(alice)
      const first = alice.since!
      await on.publish(alice)
      await on.sync(alice)
      const ask = (from: string, to: string): ReturnType<DeviceServer['ask']> =>
        on.ask(alice, 'GET', `/keys/changes?${new URLSearchParams({ from, to }).toString()}`)
      assert.equal((await ask('x', first)).body['errcode'], 'M_INVALID_PARAM')
      assert.equal((await on.ask(alice, 'GET', '/keys/changes')).body['errcode'], 'M_MISSING_PARAM')
      assert.deepEqual((await ask(alice.since!, first)).body, { changed: [], left: [] })
      assert.deepEqual((await ask(first, alice.since!)).body, { changed: [alice.userId], left: [] })
    })
  })
}
