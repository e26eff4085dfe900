import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../client/routes.ts'
import { beside, readsOf } from '../test-reads.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'

const ROOMS = 20
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'

/** @param before the answer before, whose messages to this device are acknowledged */
function askFor(before: JsonObject | undefined): JsonObject {
  const { to_device: told } = (before?.['extensions'] ?? {}) as { to_device?: { next_batch: string } }
  return {
    lists: { all: { ranges: [[0, ROOMS]], timeline_limit: 1, required_state: [['m.room.name', '']] } },
    extensions: {
      account_data: { enabled: true },
      receipts: { enabled: true },
      typing: { enabled: true },
      e2ee: { enabled: true },
      to_device: { enabled: true, ...(told === undefined ? {} : { since: told.next_batch }) },
    },
  }
}

for (const driver of await findServerDrivers()) {
  describe(`a sync for which nothing is new, on ${driver.name}`, { skip: driver.skip }, () => {
    const call = async (
      server: TestServer,
      who: TestLogin,
      method: string,
      path: string,
      body?: JsonObject,
    ): Promise<JsonObject> => {
      const answer = await server.request(method, path, {
        token: who.token,
        ...(body === undefined ? {} : { body }),
      })
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    }
    const make = async (server: TestServer, who: TestLogin): Promise<string> => {
      const made = await call(server, who, 'POST', '/_matrix/client/v3/createRoom', { name: 'A room' })
      return made['room_id'] as string
    }
    let txn = 0
    const say = (server: TestServer, who: TestLogin, roomId: string): Promise<JsonObject> =>
      call(
        server,
        who,
        'PUT',
        `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txn++}`,
        { msgtype: 'm.text', body: 'hello' },
      )

    it('asks the database nothing, whatever happens in rooms of others', async () => {
      await using server = await driver.start({ endpoints: clientRoutes })
      const [alice, bob] = [await server.register('alice'), await server.register('bob')]
      const mine: string[] = []
      for (let at = 0; at < ROOMS; at++) mine.push(await make(server, alice))
      const others = await make(server, bob)

      const sync = (since: string, timeout: number): Promise<JsonObject> =>
        call(server, alice, 'GET', `/_matrix/client/v3/sync?timeout=${timeout}&since=${since}`)
      const slide = (before: JsonObject, timeout: number): Promise<JsonObject> =>
        call(
          server,
          alice,
          'POST',
          `${SLIDING}?timeout=${timeout}&pos=${before['pos'] as string}`,
          askFor(before),
        )
      let since = (await call(server, alice, 'GET', '/_matrix/client/v3/sync'))['next_batch'] as string
      let slid = await call(server, alice, 'POST', SLIDING, askFor(undefined))
      // Once more each: what the first answer brought about is told.
      since = (await sync(since, 0))['next_batch'] as string
      slid = await slide(slid, 0)

      const idle = await readsOf(server, async () => {
        since = (await sync(since, 0))['next_batch'] as string
        slid = await slide(slid, 0)
      })
      assert.deepEqual(idle, [])

      const waits = await readsOf(server, async () => {
        const waiting = [sync(since, 1_000), slide(slid, 1_000)] as const
        await beside(() => say(server, bob, others))
        const [waited, late] = await Promise.all(waiting)
        assert.deepEqual([waited['rooms'] ?? {}, late['rooms'] ?? {}], [{}, {}])
      })
      assert.deepEqual(waits, [])

      // What is new is told, and a first sync reads.
      await say(server, alice, mine[3]!)
      const told = await sync(since, 0)
      assert.equal(Object.keys((told['rooms'] as { join: JsonObject }).join).length, 1)
      assert.notDeepEqual(
        await readsOf(server, () => call(server, alice, 'GET', '/_matrix/client/v3/sync')),
        [],
      )
    })
  })
}
