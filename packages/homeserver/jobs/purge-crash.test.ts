import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { fillTables, findLeftovers, type Subject } from '@causeway/store/erasure/fill-suite.ts'
import type { TableErasure } from '@causeway/store/erasure/rules.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { listFinishedJobs } from '@causeway/store/tables/jobs.ts'
import { findRoom } from '../rooms/load-head.ts'
import { newRoom, openJobs, say, alice } from './jobs-suite.ts'

const CHILD = fileURLToPath(new URL('./purge-crash-child.ts', import.meta.url))
const OF_ROOM = ['room_nid', 'room_id', 'event_nid', 'event_id'] as const
const isPurged = (table: string, _column: string, { purge }: TableErasure): boolean =>
  purge !== undefined && purge.do !== 'keep' && table !== 'jobs'

/** Kills the child when its `nth` write begins. Answers whether it came to its end before that. */
async function runAndKill(config: DatabaseConfig, nth: number): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let [writes, done] = [0, false]
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'done') done = true
    else if (++writes === nth) child.kill('SIGKILL')
  }
  await ended
  return done
}

for (const driver of await findTestDrivers()) {
  describe(`a purge that is killed again and again on ${driver.name}`, { skip: driver.skip }, () => {
    it('ends with nothing left of the room, and all of the others', async (test) => {
      await using target = await driver.create()
      let gone: Subject
      let other: Subject
      let before: Record<string, number>
      {
        await using fixture = await openJobs(target.config)
        const { engine } = fixture
        const [roomId, kept] = [await newRoom(engine), await newRoom(engine)]
        for (let i = 0; i < 20; i++) await say(engine, roomId, `message ${i}`)
        const { roomNid } = (await findRoom(engine, roomId))!
        gone = { roomNid, roomId, userId: '@filler:test', eventNids: [9001, 9002, 9003] }
        await fillTables(engine.db, gone)
        other = {
          roomNid: (await findRoom(engine, kept))!.roomNid,
          roomId: kept,
          userId: alice,
          eventNids: [],
        }
        before = await findLeftovers(engine.db, other, OF_ROOM)
        // Not woken here: the first child begins.
        const row = fixture.jobs.row('purge_room', roomId, { force: true })
        await engine.db.commit({ entries: [], steps: [row] })
      }
      let kills = 0
      // The first write of each run is the runner's own; the others are portions, and a few of them are lost.
      while (!(await runAndKill(target.config, 5 + (kills % 3)))) {
        kills++
        assert.ok(kills < 40, 'it gets further each time')
      }
      test.diagnostic(`killed ${kills} times`)
      assert.ok(kills >= 3, `killed only ${kills} times`)
      await using fixture = await openJobs(target.config)
      const { engine } = fixture
      assert.deepEqual(await findLeftovers(engine.db, gone, OF_ROOM, isPurged), {})
      assert.deepEqual(await findLeftovers(engine.db, other, OF_ROOM), before)
      const jobs = await listFinishedJobs(engine.db, 10)
      assert.deepEqual(
        jobs.map(({ kind, error }) => [kind, error]),
        [['purge_room', '']],
      )
      await say(engine, other.roomId as never, 'goes on')
    })
  })
}
