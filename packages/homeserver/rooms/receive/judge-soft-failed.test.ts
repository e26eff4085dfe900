import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listRefusedRows } from '@causeway/store/tables/rejections.ts'
import { findEvent } from '../read-events.ts'
import { assertTaken, openScene, type Scene } from './test-scene.ts'
import type { FarBranch } from './test-far-server.ts'

/** A room where the far Bob (50) may ban, the far boss (75) stands above him, and the far Carol is joined. */
async function openForked(
  scene: Scene,
): Promise<{ base: FarBranch; carol: Scene['bob']; boss: Scene['bob'] }> {
  const { engine, room, server, bob } = scene
  const [carol, boss] = [server.user('carol'), server.user('boss')]
  const base = await server.branchAt(engine, room)
  assertTaken(await scene.receive(...[bob, carol, boss].map((user) => base.member(user, user, 'join'))))
  const events = { ...(levelsOf(base)['events'] as JsonObject), 'm.room.power_levels': 75 }
  const users = { [bob]: 50, [boss]: 75 }
  const levels = { type: 'm.room.power_levels', stateKey: '', content: { ...levelsOf(base), events, users } }
  assertTaken(await scene.receive(base.send({ ...levels, sender: bob })))
  return { base, carol, boss }
}

function levelsOf(branch: FarBranch): JsonObject {
  return branch.state.get(packStateKey('m.room.power_levels', ''))!.pdu.content
}

for (const driver of await findTestDrivers()) {
  describe(`soft-failed events on ${driver.name}`, { skip: driver.skip }, () => {
    it('are judged anew when what was missing arrives, and shown when nothing stands against them any more', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { engine, room, bob } = scene
      const { base, carol, boss } = await openForked(scene)
      const [banned, demoted] = [base.fork(), base.fork()]
      assertTaken(await scene.receive(banned.member(bob, carol, 'ban')))
      const words = base.fork().say(carol, 'I was never banned')
      assertTaken(await scene.receive(words))
      assert.deepEqual(await scene.bodies(), [])
      assert.equal(
        (await findEvent(engine, words.eventId))!.flags & EventFlag.softFailed,
        EventFlag.softFailed,
      )
      const listed = await listRefusedRows(engine.db, room.roomNid, { limit: 10 })
      assert.deepEqual(
        listed.map(({ event_id: id, reason }) => [id, /not in this room/.test(reason)]),
        [[words.eventId, true]],
      )
      // Meanwhile, elsewhere: whoever banned had lost the power to.
      const levels = demoted.send({
        type: 'm.room.power_levels',
        sender: boss,
        stateKey: '',
        content: { ...levelsOf(demoted), users: { [boss]: 75 } },
      })
      assertTaken(await scene.receive(levels))
      assert.deepEqual(await scene.bodies(), ['I was never banned'])
      assert.deepEqual(await listRefusedRows(engine.db, room.roomNid, { limit: 10 }), [])
      assert.equal((await findEvent(engine, words.eventId))!.flags & EventFlag.softFailed, 0)
      assert.equal(scene.deps.figures.acceptedLater, 1)
      await scene.say('and on')
      assert.deepEqual(await scene.bodies(), ['I was never banned', 'and on'])
    })

    it('stay refused when the room has decided anew: who comes back does not bring along what was refused', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { bob } = scene
      const { base, carol } = await openForked(scene)
      const banned = base.fork()
      assertTaken(await scene.receive(banned.member(bob, carol, 'ban')))
      const words = base.fork().say(carol, 'said while banned')
      assertTaken(await scene.receive(words))
      assertTaken(await scene.receive(banned.member(bob, carol, 'leave')))
      assertTaken(await scene.receive(banned.member(carol, carol, 'join')))
      assertTaken(await scene.receive(banned.say(carol, 'back again')))
      assert.deepEqual(await scene.bodies(), ['back again'])
      assert.equal(scene.deps.figures.acceptedLater, 0)
    })

    it('are listed page by page, the one refused last first', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { engine, room, bob } = scene
      const { base, carol } = await openForked(scene)
      assertTaken(await scene.receive(base.fork().member(bob, carol, 'ban')))
      const refused = Array.from({ length: 5 }, (_, n) => base.fork().say(carol, `${n}`))
      for (const event of refused) assertTaken(await scene.receive(event))
      const first = await listRefusedRows(engine.db, room.roomNid, { limit: 3 })
      const rest = await listRefusedRows(engine.db, room.roomNid, { limit: 3, after: first.at(-1)!.nid })
      const ids = [...first, ...rest].map((row) => row.event_id)
      assert.deepEqual(ids, refused.map(({ eventId }) => eventId as string).toReversed())
      assert.deepEqual(await listRefusedRows(engine.db, room.roomNid, { limit: 3 }, EventFlag.rejected), [])
    })

    it('an event that waits for another is seen to as soon as that arrives from wherever', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { server, bob } = scene
      const { base } = await openForked(scene)
      const before = base.say(bob, 'first')
      server.withheld.add(before.eventId)
      assertTaken(await scene.receive(base.say(bob, 'second')))
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), [])
      assertTaken(await scene.receive(before))
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), ['first', 'second'])
    })
  })
}
