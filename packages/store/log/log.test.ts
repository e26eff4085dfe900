import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEntry } from './entry.ts'
import { findTestDrivers, openTestLog } from './databases-suite.ts'
import { sampleAccountData, sampleEvent, sampleToDevice } from './sample-entries.ts'

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: an append fills in positions, then the ring, then announces once a batch, then answers`,
    { skip },
    async () => {
      await using database = await create()
      await using store = await openTestLog(database.config)
      const { log, bus } = store
      const heard: string[] = []
      bus.subscribe((position) => {
        assert.equal(log.head(), position)
        heard.push(`announced ${position}`)
      })
      const writes = [1, 2, 3].map((room) => [sampleEvent(room), sampleAccountData(room)])
      await Promise.all(
        writes.map(async (entries, index) => {
          const result = await log.append({ entries, steps: [] })
          assert.ok(result.ok)
          heard.push(`answered ${index}`)
          assert.deepEqual(
            result.positions,
            entries.map((entry) => entry.position),
          )
        }),
      )
      assert.deepEqual(heard, ['announced 6', 'answered 0', 'answered 1', 'answered 2'])
      assert.deepEqual(log.ring.since(0), writes.flat())
      assert.deepEqual(
        writes.flat().map((entry) => entry.position),
        [1, 2, 3, 4, 5, 6],
      )
      for (const [event] of writes) assert.ok(event!.kind === 'event' && event!.event.nid === event!.position)
      assert.equal(log.changes.event.mayHaveChanged('!2:a.example', 2), true)
      assert.equal(log.changes.event.mayHaveChanged('!2:a.example', 3), false)
      assert.equal(log.changes.account_data.lastChange('@3:a.example'), 6)
      assert.equal(log.changes.to_device.last(), 0)
    },
  )

  test(
    `${name}: a refused write leaves no trace in the log, its neighbours are unharmed`,
    { skip },
    async () => {
      await using database = await create()
      await using store = await openTestLog(database.config)
      const never = { sql: 'UPDATE cursors SET position = 1 WHERE name = ?', params: ['none'], expectRows: 1 }
      const results = await Promise.all([
        store.log.append({ entries: [sampleEvent(1)], steps: [] }),
        store.log.append({ entries: [sampleEvent(2)], steps: [never] }),
        store.log.append({ entries: [sampleEvent(3)], steps: [] }),
      ])
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, false, true],
      )
      const entries = store.log.ring.since(0) as LogEntry[]
      assert.deepEqual(
        entries.map((entry) => entry.kind === 'event' && [entry.event.roomNid, entry.position]),
        [
          [1, 1],
          [3, 2],
        ],
      )
    },
  )

  test(
    `${name}: after a restart the log goes on where it was, under the same epoch, with an empty ring`,
    { skip },
    async () => {
      await using database = await create()
      let epoch: string
      {
        await using store = await openTestLog(database.config)
        await store.log.append({ entries: [sampleToDevice(1), sampleToDevice(2)], steps: [] })
        epoch = store.log.epoch
      }
      await using store = await openTestLog(database.config)
      assert.equal(store.log.head(), 2)
      assert.equal(store.bus.position(), 2)
      assert.equal(store.log.epoch, epoch)
      assert.match(epoch, /^\w{8,}$/)
      assert.equal(store.log.ring.since(1), 'fell-behind')
      assert.equal(store.log.changes.to_device.mayHaveChanged('@2:a.example', 1), true)
      const result = await store.log.append({ entries: [sampleToDevice(3)], steps: [] })
      assert.deepEqual(result.ok && result.positions, [3])
    },
  )
}
