import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { findServerDrivers, type TestLogin } from '../../test-server.ts'
import { openPartialRoom, type PartialScene } from './test-partial-room.ts'

const segment = encodeURIComponent

/** Somebody of the resident server who was in the room and left it before we came: what permitted them then. */
async function whoHasLeft(scene: PartialScene, localpart: string): Promise<EventId[]> {
  const login = await scene.resident.register(localpart)
  const path = `/rooms/${segment(scene.roomId)}`
  await scene.ask(scene.resident, login, 'POST', `/join/${segment(scene.roomId)}`, {})
  const joined = await scene.stateId('m.room.member', login.userId)
  await scene.ask(scene.resident, login, 'POST', `${path}/leave`, {})
  return [await scene.stateId('m.room.create'), await scene.stateId('m.room.power_levels'), joined]
}

async function whoIsThere(scene: PartialScene, localpart: string): Promise<EventId[]> {
  const login = await scene.resident.register(localpart)
  await scene.ask(scene.resident, login, 'POST', `/join/${segment(scene.roomId)}`, {})
  return permitting(scene, login.userId)
}

async function permitting(scene: PartialScene, userId: string): Promise<EventId[]> {
  const names = [['m.room.create'], ['m.room.power_levels'], ['m.room.member', userId]] as const
  return Promise.all(names.map(([type, stateKey]) => scene.stateId(type, stateKey)))
}

function say(
  scene: PartialScene,
  sender: string,
  body: string,
  auth: EventId[],
  prev?: EventId,
): Promise<EventId> {
  const content = { msgtype: 'm.text', body }
  return scene.send({ type: 'm.room.message', sender, content, auth, ...(prev && { prev }) })
}

function topicOf(rooms: JsonObject, scene: PartialScene): unknown {
  const room = (rooms['join'] as Record<string, Record<string, { events: JsonObject[] }>>)[scene.roomId]!
  const events = [...room['state']!.events, ...room['timeline']!.events]
  const topic = events.findLast(({ type }) => type === 'm.room.topic')
  return (topic?.['content'] as JsonObject | undefined)?.['topic']
}

async function joinedOf(scene: PartialScene): Promise<string[]> {
  const path = `/rooms/${segment(scene.roomId)}/joined_members`
  const members = await scene.ask(scene.ours, scene.bob, 'GET', path)
  return Object.keys(members['joined'] as JsonObject).toSorted()
}

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: a room whose members are missing`, { skip: driver.skip }, () => {
    it('what its whole state does not allow is taken back, and clients are told how it is', async () => {
      await using scene = await openPartialRoom(driver, { '@derek:resident.example': 50 })
      const derek = await whoHasLeft(scene, 'derek')
      await scene.join()
      const sender = scene.user('derek')
      const content = { topic: 'As it is not' }
      const forged = await scene.send({ type: 'm.room.topic', stateKey: '', sender, content, auth: derek })
      const after = await say(scene, scene.alice.userId, 'hello', await permitting(scene, scene.alice.userId))
      const before = await scene.sync()
      assert.equal(topicOf(before.rooms, scene), 'As it is not')
      assert.deepEqual([await scene.isShown(forged), await scene.isShown(after)], [true, true])
      await scene.complete()
      assert.deepEqual([await scene.isShown(forged), await scene.isShown(after)], [false, true])
      const told = await scene.sync(before.next)
      assert.equal(topicOf(told.rooms, scene), 'As it was')
      assert.equal(topicOf((await scene.sync()).rooms, scene), 'As it was')
      const { federation, db } = scene.ours.hs
      assert.ok(federation !== undefined)
      const rejected = await db.query<{ reason: string }>(
        `SELECT r.reason FROM event_rejections r JOIN events e ON e.nid = r.event_nid
         WHERE e.event_id = ? AND (e.flags & 2) <> 0`,
        [forged],
      )
      assert.equal(rejected.length, 1)
      // What is sent from now on builds on what was not refused.
      await scene.ask(scene.ours, scene.bob, 'PUT', `/rooms/${segment(scene.roomId)}/send/m.room.message/1`, {
        msgtype: 'm.text',
        body: 'on top',
      })
      assert.equal(topicOf((await scene.sync()).rooms, scene), 'As it was')
    })

    it('what it allows shows, though it had been refused, and state and members are as they should be', async () => {
      const power = { '@derek:resident.example': 100, '@elsie:resident.example': 50 }
      await using scene = await openPartialRoom(driver, power)
      const derek = await whoHasLeft(scene, 'derek')
      const elsie = await whoIsThere(scene, 'elsie')
      const alice = await permitting(scene, scene.alice.userId)
      const joined = await scene.join()
      const kick = await scene.send({
        type: 'm.room.member',
        stateKey: scene.user('elsie'),
        sender: scene.user('derek'),
        content: { membership: 'ban' },
        auth: [...derek, elsie.at(-1)!],
      })
      const note = await scene.send({
        type: 'org.example.note',
        stateKey: '',
        sender: scene.user('elsie'),
        content: { n: 1 },
        auth: elsie,
      })
      // On a branch beside the ban: allowed by the state before it, refused by the current one.
      const beside = await say(scene, scene.user('elsie'), 'beside', elsie, joined)
      const redacted = await say(scene, scene.user('elsie'), 'to be redacted', elsie, joined)
      const redaction = await scene.send({
        type: 'm.room.redaction',
        sender: scene.user('elsie'),
        redacts: redacted,
        auth: elsie,
        prev: redacted,
      })
      const sentinel = await say(scene, scene.alice.userId, 'sentinel', alice)
      const all = [kick, note, beside, redacted, redaction, sentinel]
      const shown = (): Promise<boolean[]> => Promise.all(all.map((eventId) => scene.isShown(eventId)))
      assert.deepEqual(await shown(), [true, false, false, false, false, true])
      const before = await scene.sync()
      await scene.complete()
      assert.deepEqual(await shown(), [false, true, true, true, true, true])
      const people = [scene.alice.userId, scene.bob.userId, scene.user('elsie')]
      assert.deepEqual(await joinedOf(scene), people.toSorted())
      const { rooms } = await scene.sync(before.next)
      const room = (rooms['join'] as Record<string, { timeline: { events: JsonObject[] } }>)[scene.roomId]!
      const ids = room.timeline.events.map((event) => event['event_id'])
      for (const eventId of [note, beside]) assert.ok(ids.includes(eventId), `${eventId} is told`)
      const gone = room.timeline.events.find((event) => event['event_id'] === redacted)
      assert.deepEqual(gone?.['content'], {})
      assert.ok((await scene.ourState()).includes(note))
      assert.ok(!(await scene.ourState()).includes(kick))
    })

    it('a user of ours whom nobody had the power to put out is in the room again', async () => {
      await using scene = await openPartialRoom(driver, { '@derek:resident.example': 100 })
      const derek = await whoHasLeft(scene, 'derek')
      await scene.join()
      const ben: TestLogin = await scene.ours.register('ben')
      await scene.ask(scene.ours, ben, 'POST', `/join/${segment(scene.roomId)}`, {})
      const { next } = await scene.sync(undefined, ben)
      const path = `/rooms/${segment(scene.roomId)}/state/m.room.member/${segment(ben.userId)}?format=event`
      const { event_id: bensJoin } = await scene.ask(scene.ours, scene.bob, 'GET', path)
      await scene.send({
        type: 'm.room.member',
        stateKey: ben.userId,
        sender: scene.user('derek'),
        content: { membership: 'leave' },
        auth: [...derek, bensJoin as EventId],
        prev: bensJoin as EventId,
      })
      const out = await scene.sync(next, ben)
      assert.deepEqual(Object.keys((out.rooms['leave'] ?? {}) as JsonObject), [scene.roomId])
      await scene.complete()
      const back = await scene.sync(out.next, ben)
      assert.deepEqual(Object.keys((back.rooms['join'] ?? {}) as JsonObject), [scene.roomId])
      assert.ok((await joinedOf(scene)).includes(ben.userId))
      await scene.ask(scene.ours, ben, 'PUT', `/rooms/${segment(scene.roomId)}/send/m.room.message/1`, {
        msgtype: 'm.text',
        body: 'still here',
      })
    })

    it('a lie about our join itself is not taken for the state of the room', async () => {
      await using scene = await openPartialRoom(driver)
      const ban = async (action: string): Promise<EventId> => {
        const path = `/rooms/${segment(scene.roomId)}/${action}`
        await scene.ask(scene.resident, scene.alice, 'POST', path, { user_id: scene.bob.userId })
        return scene.stateId('m.room.member', scene.bob.userId)
      }
      const [banned, unbanned] = [await ban('ban'), await ban('unban')]
      const path = `/rooms/${segment(scene.roomId)}/send/m.room.message/1`
      await scene.ask(scene.resident, scene.alice, 'PUT', path, { msgtype: 'm.text', body: 'something' })
      await scene.join()
      // The resident server says that Bob was banned when he came.
      scene.peers.alter('/state_ids/', (answer) => ({
        ...answer,
        pdu_ids: (answer['pdu_ids'] as string[]).map((id) => (id === unbanned ? banned : id)),
      }))
      scene.release()
      await scene.ours.hs.joining.completion.idle()
      const [partial] = scene.ours.hs.rooms.partial.list()
      assert.equal(partial?.attempts, 1, 'it is asked for again later')
      scene.peers.alter('/state_ids/', (answer) => answer)
      scene.ours.hs.joining.completion.start()
      await scene.complete()
    })
  })
}
