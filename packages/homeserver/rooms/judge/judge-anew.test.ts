import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import type { EventEntry, LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import { findRejections } from '@causeway/store/tables/events.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { listStateAt } from '../current-state.ts'
import { readStoredExtremities } from '../head.ts'
import { findEvent } from '../read-events.ts'
import type { FarBranch } from '../receive/test-far-server.ts'
import { openScene, timeline, type Scene } from '../receive/test-scene.ts'
import { judgeAnew } from './judge-anew.ts'

/** Ids of the current state, as it is stored. */
async function stateIds({ engine, room }: Scene): Promise<Set<EventId>> {
  const { root } = readStoredExtremities((await findRoomRow(engine.db, room.roomId))!)
  const newest = (await timeline(engine, room)).at(-1)!
  assert.equal(newest.roomRoot, root, 'what syncs tell is what the next event is judged by')
  return new Set((await listStateAt(engine, room, root)).map((entry) => entry.stored.eventId))
}

/** Takes events in, and sees to those that wait. */
async function take(scene: Scene, ...events: readonly RoomEvent[]): Promise<void> {
  await scene.receive(...events)
  await scene.inbox.settled(scene.room.roomId)
}

/** Bob gives Carol power, in an event that is lost but for its place in auth chains, and Carol bans Eve, which is rejected. */
async function banInVain(scene: Scene): Promise<{
  readonly branch: FarBranch
  /** As it was before the ban. */
  readonly before: FarBranch
  readonly power: RoomEvent
  readonly ban: RoomEvent
  readonly eve: UserId
  readonly carol: UserId
}> {
  const { engine, room, server, bob, lost } = scene
  const [carol, eve] = [server.user('carol'), server.user('eve')]
  const branch = await server.branchAt(engine, room)
  await take(scene, ...[bob, carol, eve].map((user) => branch.member(user, user, 'join')))
  const { content } = levelsOf(branch)
  const users = { ...(content['users'] as object), [carol]: 60 }
  const power = branch.send({
    type: 'm.room.power_levels',
    sender: bob,
    stateKey: '',
    content: { ...content, users },
  })
  lost.add(power.eventId)
  branch.say(bob, 'lost on the way')
  const before = branch.fork()
  const ban = branch.member(carol, eve, 'ban')
  await take(scene, ban)
  return { branch, before, power, ban, eve, carol }
}

function levelsOf({ state }: FarBranch): RoomEvent['pdu'] {
  return [...state.values()].find(({ pdu }) => pdu.type === 'm.room.power_levels')!.pdu
}

for (const driver of await findTestDrivers()) {
  describe(`judging anew on ${driver.name}`, { skip: driver.skip, timeout: 120_000 }, () => {
    it('what was rejected for want of power counts once the power is here, and what it forbids goes', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { engine, room, bob, lost } = scene
      const { branch, before, power, ban, eve } = await banInVain(scene)
      // Her server does not heed the ban.
      const spam = before.send({
        type: 'm.room.message',
        sender: eve,
        content: { msgtype: 'm.text', body: 'she goes on' },
        prev: [ban.eventId],
      })
      branch.ends = [spam]
      await take(scene, spam)
      await take(scene, branch.say(bob, 'and on'))
      assert.deepEqual(await scene.bodies(), ['lost on the way', 'she goes on', 'and on'])
      assert.equal((await stateIds(scene)).has(ban.eventId), false)
      assert.match(
        [...(await findRejections(engine.db, [(await findEvent(engine, ban.eventId))!.nid])).values()][0]!,
        /power/,
      )
      // The event that was lost comes into the gap.
      lost.clear()
      await take(scene, power)
      const entries: LogEntry[] = []
      const leave = engine.log.ring.head()
      const doubts = { events: [ban.eventId, power.eventId], filled: [power.eventId] }
      const dry = await judgeAnew(engine, room, doubts, { dryRun: true })
      assert.deepEqual(dry.accepted, [ban.eventId])
      assert.equal((await stateIds(scene)).has(ban.eventId), false, 'a dry run writes nothing')
      const judgement = await judgeAnew(engine, room, doubts)
      assert.deepEqual(judgement.accepted, [ban.eventId])
      assert.deepEqual(
        judgement.refused.map(({ eventId }) => eventId),
        [spam.eventId],
      )
      const state = await stateIds(scene)
      assert.ok(state.has(ban.eventId) && state.has(power.eventId))
      assert.deepEqual(state, new Set([...branch.state.values()].map(({ eventId }) => eventId)))
      assert.deepEqual(await scene.bodies(), ['lost on the way', 'and on'])
      assert.deepEqual(
        await scene.extremities(),
        branch.ends.map(({ eventId }) => eventId),
      )
      entries.push(...(engine.log.ring.since(leave) as LogEntry[]))
      const told = entries.filter((entry): entry is EventEntry => entry.kind === 'event')
      assert.deepEqual(
        told.map(({ event }) => event.eventId),
        [ban.eventId],
      )
      assert.deepEqual(
        told.flatMap(memberChangesOf).map(({ userId, membership }) => [userId, membership]),
        [[eve, 'ban']],
      )
      assert.equal((await engine.members.roomsOf(eve)).byId.get(room.roomId)?.membership, 'ban')
      // The same again changes nothing.
      const again = await judgeAnew(engine, room, doubts)
      assert.deepEqual(again, { accepted: [], refused: [], moved: 0, changes: [] })
      // And what comes now is judged by it.
      await take(scene, before.fork().say(eve, 'and again'), branch.say(bob, 'good riddance'))
      assert.deepEqual(await scene.bodies(), ['lost on the way', 'and on', 'good riddance'])
      await scene.say('yes')
      assert.equal((await scene.bodies()).at(-1), 'yes')
    })

    it('a newest event that counts now is one that the next ones follow, unless the room has moved on against it', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { engine, room, bob, lost } = scene
      const { branch, power, ban, carol } = await banInVain(scene)
      const side = branch.fork()
      const topic = side.send({
        type: 'm.room.topic',
        sender: carol,
        stateKey: '',
        content: { topic: 'hers' },
      })
      await take(scene, topic)
      lost.clear()
      await take(scene, power)
      // On our branch Carol loses her power, so that what she sent beside it comes too late.
      const { content } = levelsOf(branch)
      const users = { ...(content['users'] as object), [carol]: 0 }
      await take(
        scene,
        branch.send({
          type: 'm.room.power_levels',
          sender: bob,
          stateKey: '',
          content: { ...content, users },
        }),
      )
      const doubts = { events: [ban.eventId, topic.eventId], filled: [power.eventId] }
      const judgement = await judgeAnew(engine, room, doubts)
      assert.deepEqual(judgement.accepted.toSorted(), [ban.eventId, topic.eventId].toSorted())
      const state = await stateIds(scene)
      assert.equal(state.has(topic.eventId), false, 'soft-failed: not part of the current state')
      assert.ok(state.has(ban.eventId))
      assert.deepEqual(
        await scene.extremities(),
        branch.ends.map(({ eventId }) => eventId),
      )
    })

    it('what rests on filled-in history stays refused: no server makes the present by telling the past', async () => {
      await using scene = await openScene(driver, '12', 100)
      const { engine, room } = scene
      const { power, ban } = await banInVain(scene)
      scene.lost.clear()
      await take(scene, power)
      // As if the ban and what it follows had filled a gap, with a state there as some server told it.
      const row = (await findEvent(engine, ban.eventId))!
      const [parentId] = ban.prevEventIds
      const parent = (await findEvent(engine, parentId!))!
      const told = (await findEvent(engine, power.eventId))!.stateRoot
      await engine.db.commit({
        entries: [],
        steps: [
          { sql: 'UPDATE events SET nid = ? WHERE nid = ?', params: [-100_000, parent.nid] },
          { sql: 'UPDATE events SET state_before = ? WHERE nid = ?', params: [told, row.nid] },
        ],
      })
      engine.events.clear()
      assert.deepEqual((await judgeAnew(engine, room, { events: [ban.eventId] })).accepted, [])
    })
  })
}
