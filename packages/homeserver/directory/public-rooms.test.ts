import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { publishRoom } from '@causeway/store/tables/directory.ts'
import { alice, newRoom } from '../jobs/jobs-suite.ts'
import { silentLogger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { sendEvent } from '../rooms/send.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { holdAnswers } from '../test-held-database.ts'
import { createPublicRooms, type Directory } from './public-rooms.ts'

const rename = (engine: RoomEngine, roomId: RoomId, name: string): Promise<unknown> =>
  sendEvent(engine, { roomId, type: 'm.room.name', stateKey: '', sender: alice, content: { name } })

const namesIn = ({ rooms }: Directory): unknown[] =>
  rooms.map(({ json }) => (JSON.parse(json) as { name: string }).name)

for (const driver of await findTestDrivers()) {
  describe(`the public directory on ${driver.name}`, { skip: driver.skip }, () => {
    it('does not take a description for new that began before the one it has', async () => {
      await using target = await driver.create()
      await using opened = await openTestEngine(target.config)
      const { engine, bus } = opened
      const { db, hold } = holdAnswers(opened.db)
      let now = 0
      const clock = { ...engine.clock, monotonic: () => now }
      const rooms = createPublicRooms({ rooms: { ...engine, db, clock }, bus, logger: silentLogger })
      const roomId = await newRoom(engine, { name: 'old' })
      const { roomNid } = (await findRoom(engine, roomId))!
      await opened.db.commit({ entries: [], steps: [publishRoom(roomNid)] })
      rooms.changed()
      assert.deepEqual(namesIn(await rooms.read()), ['old'])
      await rename(engine, roomId, 'older')
      now += 10_000
      const held = hold(/room_root/)
      const late = rooms.read()
      await held.read
      await rename(engine, roomId, 'new')
      rooms.changed()
      assert.deepEqual(namesIn(await rooms.read()), ['new'])
      held.release()
      await late
      now += 10_000
      assert.deepEqual(namesIn(await rooms.read()), ['new'])
    })
  })
}
