import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { sendEvent } from '../send.ts'
import type { FarBranch } from './test-far-server.ts'
import { alice, assertTaken, openScene, type Scene } from './test-scene.ts'

const TYPE = 'org.example.device'
const VERSION = 'org.matrix.msc3757.11'

/** A room in which Alice has 100, Bob of the far server 50, Carol of it nothing; the branch ends in their joins. */
async function openOwned(scene: Scene, carol: UserId): Promise<FarBranch> {
  await setLevels(scene, { events: { [TYPE]: 0 } })
  const branch = await scene.server.branchAt(scene.engine, scene.room)
  assertTaken(
    await scene.receive(branch.member(scene.bob, scene.bob, 'join'), branch.member(carol, carol, 'join')),
  )
  return branch
}

async function setLevels(scene: Scene, change: JsonObject): Promise<void> {
  const content = { ...((await scene.stateNow('m.room.power_levels')) as JsonObject), ...change }
  const levels = { type: 'm.room.power_levels', stateKey: '', sender: alice, content }
  await sendEvent(scene.engine, { roomId: scene.room.roomId, ...levels })
}

const setBy = (branch: FarBranch, sender: UserId, stateKey: string): RoomEvent =>
  branch.send({ type: TYPE, sender, stateKey, content: { by: sender } })

for (const driver of await findTestDrivers()) {
  describe(`owned state of other servers' users on ${driver.name}`, { skip: driver.skip }, () => {
    it('is accepted of its owner and of who has more power, and of nobody else', async () => {
      await using scene = await openScene(driver, VERSION)
      const carol = scene.server.user('carol')
      const branch = await openOwned(scene, carol)
      const hers = `${carol}_PHONE`
      assertTaken(await scene.receive(setBy(branch, carol, hers)))
      assert.deepEqual(await scene.stateNow(TYPE, hers), { by: carol })
      assertTaken(await scene.receive(setBy(branch, scene.bob, hers)))
      assert.deepEqual(await scene.stateNow(TYPE, hers), { by: scene.bob })
      const foreign = setBy(branch.fork(), scene.bob, `${alice}_PHONE`)
      const nobodys = setBy(branch.fork(), scene.bob, '@oops')
      const refused = await scene.receive(foreign, nobodys)
      assert.match(refused.get(foreign.eventId)!.error!, /more power/)
      assert.match(refused.get(nobodys.eventId)!.error!, /begin with one and an underscore/)
      await sendEvent(scene.engine, {
        roomId: scene.room.roomId,
        type: TYPE,
        sender: alice,
        stateKey: hers,
        content: { by: alice },
      })
      assert.deepEqual(await scene.stateNow(TYPE, hers), { by: alice })
    })

    it('of who lost their power on another branch is undone where the branches meet', async () => {
      await using scene = await openScene(driver, VERSION)
      const carol = scene.server.user('carol')
      const branch = await openOwned(scene, carol)
      const [hers, bobs] = [`${carol}_PHONE`, `${scene.bob}_PHONE`]
      assertTaken(await scene.receive(setBy(branch, carol, hers)))
      const before = branch.fork()
      await setLevels(scene, { users: { [alice]: 100 } })
      const ours = await scene.server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(setBy(before, scene.bob, hers), setBy(before, scene.bob, bobs)))
      const ends = [...before.ends, ...ours.ends]
      const merge = before.fork()
      merge.ends = ends
      assertTaken(await scene.receive(merge.say(carol, 'together')))
      assert.deepEqual(await scene.bodies(), ['together'])
      assert.deepEqual(
        await scene.stateNow(TYPE, hers),
        { by: carol },
        'Bob has no more power than Carol now',
      )
      assert.deepEqual(await scene.stateNow(TYPE, bobs), { by: scene.bob }, 'his own stays his')
    })
  })
}
