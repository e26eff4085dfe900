import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import {
  deletePolicyWait,
  listPolicyWaitRooms,
  listPolicyWaits,
  POLICY_WAITS,
} from '@causeway/store/tables/policy-waits.ts'
import { clientRoutes } from '../../client/routes.ts'
import { ok } from '../../test-call.ts'
import { findServerDrivers } from '../../test-server.ts'

for (const driver of await findServerDrivers()) {
  describe(`events that wait for a policy server on ${driver.name}`, { skip: driver.skip }, () => {
    it('are listed by room, those first that wait longest, until they are answered', async () => {
      await using server = await driver.start({ endpoints: clientRoutes })
      const { db } = server.hs
      const alice = await server.register('alice')
      assert.deepEqual(await listPolicyWaitRooms(db), [])
      const ids = [await makeRoom(), await makeRoom()]
      const [first, second] = await Promise.all(ids.map(async (id) => (await findRoomRow(db, id))!.nid))
      const waits = [
        [first!, '$later', 2_000],
        [first!, '$earlier', 1_000],
        [second!, '$other', 1_500],
        [first!, '$later', 3_000],
      ]
      for (const values of waits) await db.commit({ entries: [], steps: [{ into: POLICY_WAITS, values }] })
      assert.deepEqual((await listPolicyWaitRooms(db)).toSorted(), ids.toSorted())
      const listed = await listPolicyWaits(db, first!, 50)
      assert.deepEqual(
        listed.map((wait) => [wait.event_id, Number(wait.since_ts)]),
        [
          ['$earlier', 1_000],
          ['$later', 2_000],
        ],
      )
      assert.equal((await listPolicyWaits(db, first!, 1)).length, 1)
      await db.commit({ entries: [], steps: listed.map((wait) => deletePolicyWait(first!, wait.event_id)) })
      assert.deepEqual(await listPolicyWaitRooms(db), [ids[1]])

      async function makeRoom(): Promise<string> {
        return (await ok(server, alice, 'POST', '/createRoom', {}))['room_id'] as string
      }
    })
  })
}
