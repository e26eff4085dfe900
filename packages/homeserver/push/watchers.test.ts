import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { findRoom } from '../rooms/load-head.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople, type People } from '../user-data/test-people.ts'
import { pusherOf } from './test-gateway.ts'
import { createWatchers, type Watchers } from './watchers.ts'

const URL = 'https://push.example.org/_matrix/push/v1/notify'

interface Scene {
  readonly watchers: Watchers
  /** Queries since this was last asked. */
  queries(): number
  /** Shows it everything that came into the log since the last call. */
  follow(): Promise<boolean[]>
}

function watch({ server: { hs } }: People): Scene {
  let count = 0
  const db = {
    query: (...of: Parameters<Database['query']>) => (count++, hs.db.query(...of)),
    queryLarge: (...of: Parameters<Database['queryLarge']>) => (count++, hs.db.queryLarge(...of)),
  } as Database
  const watchers = createWatchers({ ...hs, db, budget: createMemoryBudget(1_000_000) })
  let seen = hs.log.head()
  return {
    watchers,
    queries: () => {
      const before = count
      count = 0
      return before
    },
    async follow() {
      const entries = hs.log.ring.since(seen) as LogEntry[]
      seen = hs.log.head()
      const noted: boolean[] = []
      for (const entry of entries) noted.push(await watchers.note(entry))
      return noted
    },
  }
}

const usersIn = async ({ watchers }: Scene, roomNid: number): Promise<UserId[]> =>
  [...(await watchers.ofRoom(roomNid)).keys()].toSorted()

for (const driver of await findServerDrivers()) {
  describe(`who is watched on ${driver.name}`, { skip: driver.skip }, () => {
    it('costs one query for a room, and none for its events', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, server } = people
      const scene = watch(people)
      const { roomNid } = (await findRoom(server.hs.rooms, roomId as RoomId))!
      await alice.say(roomId, 'hello')
      // Nobody has a pusher: that is asked once.
      assert.deepEqual(await scene.follow(), [false])
      for (let n = 0; n < 10; n++) await alice.say(roomId, `message ${n}`)
      await scene.follow()
      assert.equal(scene.queries(), 1)
      const other = await people.register('other')
      await other.call('POST', '/pushers/set', pusherOf(URL, 'key'))
      assert.deepEqual((await scene.follow()).at(-1), true)
      scene.queries()
      for (let n = 10; n < 20; n++) {
        await alice.say(roomId, `message ${n}`)
        assert.deepEqual(await scene.follow(), [true])
        assert.deepEqual(await usersIn(scene, roomNid), [])
      }
      assert.equal(scene.queries(), 1)
      await bob.call('POST', '/pushers/set', pusherOf(URL, 'key'))
      await scene.follow()
      assert.deepEqual(await usersIn(scene, roomNid), [bob.userId])
    })

    it('follows who comes and goes, and what they set and delete', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room, server } = people
      const scene = watch(people)
      const { roomNid } = (await findRoom(server.hs.rooms, roomId as RoomId))!
      const expect = async (...users: string[]): Promise<void> => {
        await scene.follow()
        assert.deepEqual(await usersIn(scene, roomNid), users)
        // As whoever reads it anew.
        assert.deepEqual(await usersIn(watch(people), roomNid), users)
      }
      await expect()
      await bob.call('POST', '/pushers/set', pusherOf(URL, 'key'))
      await expect(bob.userId)
      await alice.call('POST', '/pushers/set', pusherOf(URL, 'key 2'))
      await expect(alice.userId, bob.userId)
      await bob.call('POST', `${room}/leave`, {})
      await expect(alice.userId)
      await bob.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await expect(alice.userId, bob.userId)
      await alice.call('POST', '/pushers/set', { kind: null, app_id: 'org.example.app', pushkey: 'key 2' })
      await expect(bob.userId)
      await alice.call('POST', '/pushers/set', pusherOf(URL, 'key'))
      await expect(alice.userId)
      await alice.call('POST', '/logout', {})
      await expect()
    })
  })
}
