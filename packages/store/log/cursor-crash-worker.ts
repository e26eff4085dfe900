// Test support: run as a process that is killed. Brings the log to `total` entries and lets a cursor record each
// by a plain INSERT, which fails when an entry is handled again after its effect was committed.
import { systemClock } from '../clock/system.ts'
import type { TableShape } from '../db/database.ts'
import { CURSORS, runCursor } from './cursor.ts'
import { openTestLog } from './databases-suite.ts'
import { sampleToDevice } from './sample-entries.ts'

const total = Number(process.argv[3])
await using store = await openTestLog(JSON.parse(process.argv[2]!))
const strict: TableShape = { name: CURSORS.name, columns: CURSORS.columns }
await using cursor = await runCursor(
  { ...store, clock: systemClock },
  {
    name: 'test',
    from: 0,
    maxBatch: 3,
    read: async (after, upTo, limit) => {
      const through = Math.min(upTo, after + limit)
      return {
        entries: Array.from({ length: through - after }, (_, i) => sampleToDevice(1, after + 1 + i)),
        through,
      }
    },
    handle: async (entries) => {
      process.stdout.write('handling\n')
      return { steps: entries.map(({ position }) => ({ into: strict, values: [`done ${position}`, 0] })) }
    },
    onError: (error) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(3)
    },
  },
)
while (store.log.head() < total) {
  await store.log.append({ entries: [sampleToDevice(1)], steps: [] })
  process.stdout.write('appended\n')
}
await cursor.reached(total)
