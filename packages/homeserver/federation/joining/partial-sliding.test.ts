import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { openSlider, orderIn, roomIdsIn, roomIn, stateIn, window } from '../../sync/sliding/test-slider.ts'
import { findServerDrivers } from '../../test-server.ts'
import { openPartialRoom } from './test-partial-room.ts'

const required = (stateKey: string): JsonObject => ({ required_state: [['m.room.member', stateKey]] })

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: a room whose members are missing, by sliding sync`, { skip: driver.skip }, () => {
    it('is shown at once to who loads members lazily, and to others when they are here', async () => {
      await using scene = await openPartialRoom(driver, {})
      await scene.join()
      const { alice, bob, ours, roomId } = scene
      const lazy = openSlider(ours, bob.token, { ...window(9, required('$LAZY')), conn_id: 'lazy' })
      const whole = openSlider(ours, bob.token, { ...window(9, required('*')), conn_id: 'whole' })
      const first = roomIn(await lazy.next(), roomId)!
      assert.equal(first['initial'], true)
      assert.ok(stateIn(first).includes(`m.room.member|${bob.userId}`))
      assert.deepEqual(orderIn(await whole.next()), [])
      const waiting = whole.next(undefined, 60_000)
      await scene.complete()
      const answer = await waiting
      assert.deepEqual(orderIn(answer), [roomId])
      const told = roomIn(answer, roomId)!
      assert.equal(told['initial'], true)
      for (const { userId } of [alice, bob])
        assert.ok(stateIn(told).includes(`m.room.member|${userId}`), userId)
      const later = roomIn(await lazy.next(), roomId)!
      assert.equal(later['initial'], undefined)
      assert.equal(later['joined_count'], told['joined_count'])
      assert.deepEqual(roomIdsIn(await lazy.next()), [])
      assert.deepEqual(roomIdsIn(await whole.next()), [])
    })
  })
}
