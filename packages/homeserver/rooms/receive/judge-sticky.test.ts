import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEvent } from '../read-events.ts'
import { sendEvent } from '../send.ts'
import type { FarBranch } from './test-far-server.ts'
import { createStickyJudge, type StickyJudge } from './judge-sticky.ts'
import { alice, assertTaken, openScene, type Scene } from './test-scene.ts'

const stick = (branch: FarBranch, sender: Scene['bob'], body: string, stickyMs = 600_000): RoomEvent =>
  branch.send({ type: 'm.room.message', sender, content: { msgtype: 'm.text', body }, stickyMs })

const openJudge = ({ deps, bus, inbox }: Scene): StickyJudge =>
  createStickyJudge(deps, bus, (room, pdus) => inbox.placed(room, pdus))

async function isSoftFailed({ engine }: Scene, { eventId }: RoomEvent): Promise<boolean> {
  return ((await findEvent(engine, eventId))!.flags & EventFlag.softFailed) !== 0
}

for (const driver of await findTestDrivers()) {
  describe(`soft-failed sticky events on ${driver.name}`, { skip: driver.skip }, () => {
    it('are accepted as soon as the room allows them, whatever it decided meanwhile, and others are not', async () => {
      await using scene = await openScene(driver, '12', 50)
      const { engine, room, server, bob } = scene
      await using judge = openJudge(scene)
      const carol = server.user('carol')
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(...[bob, carol].map((user) => base.member(user, user, 'join'))))
      const kicked = base.fork()
      assertTaken(await scene.receive(kicked.member(bob, carol, 'leave')))
      const [sticky, plain, over] = [
        stick(base.fork(), carol, 'in the call'),
        base.fork().say(carol, 'by the way'),
        stick(base.fork(), carol, 'for no time at all', 0),
      ]
      for (const event of [sticky, plain, over]) {
        assertTaken(await scene.receive(event))
        assert.equal(await isSoftFailed(scene, event), true)
      }
      assert.equal(engine.sticky.mayBeRefused(room.roomNid), true)
      await judge.idle()
      assert.deepEqual(await scene.bodies(), [])
      assertTaken(await scene.receive(kicked.member(carol, carol, 'join')))
      await judge.idle()
      assert.deepEqual(await scene.bodies(), ['in the call'])
      assert.equal(await isSoftFailed(scene, plain), true)
      assert.equal(await isSoftFailed(scene, over), true)
      assert.equal(scene.deps.figures.acceptedLater, 1)
      const accepted = (await findEvent(engine, sticky.eventId))!
      assert.ok(accepted.nid > 0)
      assert.equal((await engine.sticky.untilOf([accepted])).has(accepted.nid), true)
    })

    it('are judged anew after what is decided here as well', async () => {
      await using scene = await openScene(driver, '12', 0)
      const { engine, room, server, bob } = scene
      await using judge = openJudge(scene)
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const setLevel = (level: number): Promise<unknown> =>
        sendEvent(engine, {
          roomId: room.roomId,
          type: 'm.room.power_levels',
          stateKey: '',
          sender: alice,
          content: { events_default: level },
        })
      await setLevel(50)
      const sticky = stick(base, bob, 'may I')
      assertTaken(await scene.receive(sticky))
      assert.equal(await isSoftFailed(scene, sticky), true)
      await setLevel(0)
      await judge.idle()
      assert.deepEqual(await scene.bodies(), ['may I'])
    })
  })
}
