import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { listStateResets } from '@causeway/store/tables/state-resets.ts'
import type { StateReset } from '../engine.ts'
import { assertTaken, openScene, type Scene } from '../receive/test-scene.ts'

/** Two branches: on one a topic is set and then everybody but Bob loses the power to, on the other another is set. */
async function takePowerAway(scene: Scene): Promise<{ readonly lost: boolean }> {
  const { engine, room, server, bob } = scene
  const [carol, dan] = [server.user('carol'), server.user('dan')]
  const base = await server.branchAt(engine, room)
  assertTaken(await scene.receive(...[bob, carol, dan].map((user) => base.member(user, user, 'join'))))
  const levels = [...base.state.values()].find(({ pdu }) => pdu.type === 'm.room.power_levels')!.pdu.content
  const setLevels = (level: number): ReturnType<typeof base.send> => {
    const users = { ...(levels['users'] as object), [carol]: level, [dan]: level }
    return base.send({
      type: 'm.room.power_levels',
      sender: bob,
      stateKey: '',
      content: { ...levels, users },
    })
  }
  assertTaken(await scene.receive(setLevels(50)))
  const other = base.fork()
  const topic = { type: 'm.room.topic', stateKey: '' }
  const first = base.send({ ...topic, sender: carol, content: { topic: 'by Carol' } })
  assertTaken(await scene.receive(first, setLevels(0)))
  const second = other.send({ ...topic, sender: dan, content: { topic: 'by Dan' } })
  await scene.receive(second, other.say(bob, 'Bob goes on there'))
  return { lost: (await scene.stateNow('m.room.topic')) === undefined }
}

for (const driver of await findTestDrivers()) {
  describe(`the alarm for state resets on ${driver.name}`, { skip: driver.skip }, () => {
    it('is raised once, with room and keys, when the room gets what no branch of it had; and is kept', async () => {
      await using scene = await openScene(driver, '11', 100)
      const { engine, room, server, bob } = scene
      const told: StateReset[] = []
      Object.assign(engine, { onStateReset: (reset: StateReset) => told.push(reset) })
      const { lost } = await takePowerAway(scene)
      assert.ok(lost, 'both topics are refused by the levels in force')
      assert.equal(told.length, 1, JSON.stringify(told))
      const { roomId, keys, count } = told[0]!
      assert.deepEqual(
        { roomId, keys, count },
        { roomId: room.roomId, keys: [{ type: 'm.room.topic', stateKey: '' }], count: 1 },
      )
      const rows = await listStateResets(engine.db, room.roomNid)
      assert.deepEqual(
        rows.map((row) => JSON.parse(row.reset_keys) as unknown),
        [{ count, keys }],
      )
      // The room stays like that: what comes now is no news.
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.say(bob, 'one more')))
      await scene.say('and ours')
      assert.equal(told.length, 1)
    })

    it('is not raised where branches meet in what one of them had', async () => {
      await using scene = await openScene(driver, '11')
      const { engine, room, server, bob } = scene
      const told: StateReset[] = []
      Object.assign(engine, { onStateReset: (reset: StateReset) => told.push(reset) })
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const topics = ['one', 'two'].map((topic) =>
        base.fork().send({ type: 'm.room.topic', sender: bob, stateKey: '', content: { topic } }),
      )
      assertTaken(await scene.receive(...topics))
      assert.equal((await scene.extremities()).length, 2)
      await scene.say('both')
      assert.deepEqual([told, await listStateResets(engine.db, room.roomNid)], [[], []])
    })
  })
}
