import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { INBOUND_PDUS } from '@causeway/store/tables/inbound-pdus.ts'
import { findServerDrivers } from '../test-server.ts'
import { createRegistry, type MetricSources } from './register-sources.ts'
import { RequestTimes } from './request-times.ts'

for (const driver of await findServerDrivers()) {
  describe(`metrics of single rooms and servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('name the ten with the most and sum up all others, however many there are', async () => {
      await using server = await driver.start({ endpoints: [] })
      const { hs } = server
      const steps = Array.from({ length: 30 }, (_, n) => {
        const name = String(n).padStart(2, '0')
        const ofRoom = Array.from({ length: n + 1 }, (_unused, event) => ({
          into: INBOUND_PDUS,
          values: [`!${name}:far`, `$${event}`, 'far', 1, Buffer.from('{}'), 0, 0, 0],
        }))
        const unsent = Array.from({ length: n + 1 }, (_unused, room) => ({
          sql: 'INSERT INTO outbound_rooms (server_name, room_nid, from_nid, parted_nid, revision) VALUES (?, ?, 1, 0, 0)',
          params: [`s${name}.example`, room + 1],
        }))
        return [...ofRoom, ...unsent]
      }).flat()
      await hs.db.commit({ entries: [], steps })
      const router = { waiting: new Set<never>() }
      const times = new RequestTimes()
      const db = hs.db as typeof hs.db & MetricSources['db']
      const text = await createRegistry({ ...hs, times, router, db }).metrics()
      const valuesOf = (metric: string): string[] =>
        text.split('\n').filter((line) => line.startsWith(`${metric}{`))
      const inbox = valuesOf('causeway_room_inbox_events')
      assert.equal(inbox.length, 11)
      assert.equal(inbox[0], 'causeway_room_inbox_events{room_id="!29:far"} 30')
      assert.equal(inbox.at(-1), 'causeway_room_inbox_events{room_id="others"} 210')
      const unsent = valuesOf('causeway_federation_destination_unsent_rooms')
      assert.equal(unsent.length, 11)
      assert.equal(unsent[0], 'causeway_federation_destination_unsent_rooms{server="s29.example"} 30')
      assert.equal(unsent.at(-1), 'causeway_federation_destination_unsent_rooms{server="others"} 210')
    })
  })
}
