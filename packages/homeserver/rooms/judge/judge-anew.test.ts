import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findTestDrivers, type TestDriver } from '@causeway/store/log/databases-suite.ts'
import type { EventEntry, LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import { findRejections } from '@causeway/store/tables/events.ts'
import { publicKeyOf } from '../../crypto/signing-key.ts'
import { createRoom } from '../create-room.ts'
import { listStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { readStoredExtremities } from '../head.ts'
import { findRoom } from '../load-head.ts'
import { BEGINNING, END, findEvent, listTimeline } from '../read-events.ts'
import type { ReceiveDeps } from '../receive/deps.ts'
import { createReceiveFigures } from '../receive/figures.ts'
import { createInbox, type Inbox } from '../receive/inbox.ts'
import { receivePdus } from '../receive/receive-pdus.ts'
import { FarServer, type FarBranch } from '../receive/test-far-server.ts'
import { sendEvent } from '../send.ts'
import type { RoomInfo } from '../stored-event.ts'
import { openTestEngine } from '../test-engine.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { judgeAnew } from './judge-anew.ts'

const alice = '@alice:test' as UserId

interface Scene extends AsyncDisposable {
  readonly engine: RoomEngine
  readonly room: RoomInfo
  readonly server: FarServer
  readonly inbox: Inbox
  readonly bob: UserId
  /** Given in an auth chain and in no other answer. */
  readonly lost: Set<EventId>
  receive(...events: readonly RoomEvent[]): Promise<void>
  bodies(): Promise<unknown[]>
  /** Ids of the current state, as it is stored. */
  state(): Promise<Set<EventId>>
  extremities(): Promise<readonly EventId[]>
}

async function openScene(driver: TestDriver): Promise<Scene> {
  const database = await driver.create()
  const { engine, db } = await openTestEngine(database.config)
  const publicKey = publicKeyOf({ keyId: 'ed25519:t' as never, seed: new Uint8Array(32).fill(7) })
  const server = new FarServer('far.example', { name: 'test', keyId: 'ed25519:t', publicKey })
  const bob = server.user('bob')
  const roomId = await createRoom(engine, {
    rules: findRoomVersion('12')!,
    creator: alice,
    preset: 'public_chat',
    creationContent: {},
    initialState: [],
    invite: [],
    isDirect: false,
    powerLevelOverride: { users: { [bob]: 100 } },
    creatorProfile: {},
    profileOf: () => ({}),
  })
  const room = (await findRoom(engine, roomId))!
  const lost = new Set<EventId>()
  const idOf = (pdu: unknown): EventId =>
    [...server.events.values()].find((event) => event.pdu === pdu)!.eventId
  const peers: ReceiveDeps['peers'] = {
    ...server.peers,
    getEvent: (name, id) =>
      lost.has(id) ? Promise.reject(new Error('404')) : server.peers.getEvent(name, id),
    getMissingEvents: async (...args) =>
      (await server.peers.getMissingEvents(...args)).filter((pdu) => !lost.has(idOf(pdu))),
  }
  const logger = { info: () => undefined, warn: () => undefined }
  const deps: ReceiveDeps = { engine, peers, clock: systemClock, logger, figures: createReceiveFigures() }
  const inbox = createInbox(deps, async () => [server.name])
  const timeline = (): ReturnType<typeof listTimeline> =>
    listTimeline(engine, room, { after: BEGINNING, before: END, backwards: false, limit: 500 })
  const stored = async (): Promise<ReturnType<typeof readStoredExtremities>> =>
    readStoredExtremities((await findRoomRow(engine.db, roomId))!)
  return {
    engine,
    room,
    server,
    inbox,
    bob,
    lost,
    receive: async (...events) => {
      const pdus = events.map(({ pdu }) => structuredClone(pdu))
      await receivePdus({ ...deps, inbox }, server.name, roomId, pdus)
      await inbox.settled(roomId)
    },
    bodies: async () =>
      (await timeline())
        .filter(({ type }) => type === 'm.room.message')
        .map(({ content }) => content['body']),
    state: async () => {
      const { root } = await stored()
      const newest = (await timeline()).at(-1)!
      assert.equal(newest.roomRoot, root, 'what syncs tell is what the next event is judged by')
      return new Set((await listStateAt(engine, room, root)).map((entry) => entry.stored.eventId))
    },
    extremities: async () => (await stored()).eventIds,
    [Symbol.asyncDispose]: async () => {
      await inbox[Symbol.asyncDispose]()
      await engine.queue.idle()
      await db[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
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
  await scene.receive(...[bob, carol, eve].map((user) => branch.member(user, user, 'join')))
  const { content } = branch.state.get('m.room.power_levels\0' as never)?.pdu ?? levelsOf(branch)
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
  await scene.receive(ban)
  return { branch, before, power, ban, eve, carol }
}

function levelsOf({ state }: FarBranch): RoomEvent['pdu'] {
  return [...state.values()].find(({ pdu }) => pdu.type === 'm.room.power_levels')!.pdu
}

for (const driver of await findTestDrivers()) {
  describe(`judging anew on ${driver.name}`, { skip: driver.skip, timeout: 120_000 }, () => {
    it('what was rejected for want of power counts once the power is here, and what it forbids goes', async () => {
      await using scene = await openScene(driver)
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
      await scene.receive(spam)
      await scene.receive(branch.say(bob, 'and on'))
      assert.deepEqual(await scene.bodies(), ['lost on the way', 'she goes on', 'and on'])
      assert.equal((await scene.state()).has(ban.eventId), false)
      assert.match(
        [...(await findRejections(engine.db, [(await findEvent(engine, ban.eventId))!.nid])).values()][0]!,
        /power/,
      )
      // The event that was lost comes into the gap.
      lost.clear()
      await scene.receive(power)
      const entries: LogEntry[] = []
      const leave = engine.log.ring.head()
      const doubts = { events: [ban.eventId, power.eventId], filled: [power.eventId] }
      const dry = await judgeAnew(engine, room, doubts, { dryRun: true })
      assert.deepEqual(dry.accepted, [ban.eventId])
      assert.equal((await scene.state()).has(ban.eventId), false, 'a dry run writes nothing')
      const judgement = await judgeAnew(engine, room, doubts)
      assert.deepEqual(judgement.accepted, [ban.eventId])
      assert.deepEqual(
        judgement.refused.map(({ eventId }) => eventId),
        [spam.eventId],
      )
      const state = await scene.state()
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
      await scene.receive(before.fork().say(eve, 'and again'), branch.say(bob, 'good riddance'))
      assert.deepEqual(await scene.bodies(), ['lost on the way', 'and on', 'good riddance'])
      await sendEvent(engine, {
        roomId: room.roomId,
        type: 'm.room.message',
        sender: alice,
        content: { msgtype: 'm.text', body: 'yes' },
      })
      assert.equal((await scene.bodies()).at(-1), 'yes')
    })

    it('a newest event that counts now is one that the next ones follow, unless the room has moved on against it', async () => {
      await using scene = await openScene(driver)
      const { engine, room, bob, lost } = scene
      const { branch, power, ban, carol } = await banInVain(scene)
      const side = branch.fork()
      const topic = side.send({
        type: 'm.room.topic',
        sender: carol,
        stateKey: '',
        content: { topic: 'hers' },
      })
      await scene.receive(topic)
      lost.clear()
      await scene.receive(power)
      // On our branch Carol loses her power, so that what she sent beside it comes too late.
      const { content } = levelsOf(branch)
      const users = { ...(content['users'] as object), [carol]: 0 }
      await scene.receive(
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
      const state = await scene.state()
      assert.equal(state.has(topic.eventId), false, 'soft-failed: not part of the current state')
      assert.ok(state.has(ban.eventId))
      assert.deepEqual(
        await scene.extremities(),
        branch.ends.map(({ eventId }) => eventId),
      )
    })

    it('what rests on filled-in history stays refused: no server makes the present by telling the past', async () => {
      await using scene = await openScene(driver)
      const { engine, room } = scene
      const { power, ban } = await banInVain(scene)
      scene.lost.clear()
      await scene.receive(power)
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
