import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findTestDrivers, type TestDriver } from '@causeway/store/log/databases-suite.ts'
import { createRoom } from '../../rooms/create-room.ts'
import { getRoomByNid, findRoom } from '../../rooms/load-head.ts'
import { openTestEngine } from '../../rooms/test-engine.ts'
import { plainRoom } from '../../rooms/test-room.ts'
import { createRoomTargets } from './room-targets.ts'
import { remoteMember } from './test-peers.ts'

interface Scene extends AsyncDisposable {
  /** Somebody of a server comes into the room, and the targets are told. */
  join(server: string): Promise<void>
  /** The servers in the room now. */
  ask(): Promise<string[]>
  /** From now on rows are read at once, and handed over when this is called. */
  holdRows(): () => void
}

async function openScene(driver: TestDriver): Promise<Scene> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await driver.create())
  const { engine } = stack.use(await openTestEngine(database.config))
  const roomId: RoomId = await createRoom(engine, plainRoom('@alice:test' as UserId))
  const { roomNid } = (await findRoom(engine, roomId))!
  await getRoomByNid(engine, roomNid)
  let held = Promise.resolve()
  const late =
    (read: 'query' | 'queryLarge'): Database['query'] =>
    async (sql, params) => {
      const rows = await engine.db[read](sql, params)
      await held
      return rows as never
    }
  const db = Object.assign(Object.create(engine.db) as Database, {
    query: late('query'),
    queryLarge: late('queryLarge'),
  })
  const serverName = 'test' as ServerName
  const targets = createRoomTargets({ serverName, db, budget: createMemoryBudget(1e8), rooms: engine })
  let noted = engine.log.head()
  return {
    async join(server) {
      await remoteMember(engine, roomId, `@u:${server}`, 'join')
      const entries = engine.log.ring.since(noted)
      assert.ok(entries !== 'fell-behind')
      for (const entry of entries) targets.note(entry)
      noted = engine.log.head()
    },
    ask: async () => [...(await targets.now(roomNid, noted + 1)).servers],
    holdRows() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** What is asked for is on its way to the database. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

for (const driver of await findTestDrivers()) {
  describe(`the servers of a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('hold who has just come, also for who asks while others have that read', async () => {
      await using scene = await openScene(driver)
      await scene.join('b.example')
      assert.deepEqual(await scene.ask(), ['b.example'])
      const handOver = scene.holdRows()
      await scene.join('c.example')
      const asked = [scene.ask(), scene.ask()]
      await turn()
      handOver()
      for (const servers of await Promise.all(asked)) assert.deepEqual(servers, ['b.example', 'c.example'])
    })

    it('are not kept as they were read before somebody came, however many have them read', async () => {
      await using scene = await openScene(driver)
      await scene.join('b.example')
      const handOverFirst = scene.holdRows()
      const first = scene.ask()
      await turn()
      const handOverSecond = scene.holdRows()
      const second = scene.ask()
      await turn()
      handOverFirst()
      handOverSecond()
      await first
      await scene.join('c.example')
      await second
      assert.deepEqual(await scene.ask(), ['b.example', 'c.example'])
    })
  })
}
