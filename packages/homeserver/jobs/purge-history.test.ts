import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { countBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { readPage } from '../client/history-page.ts'
import { silentLogger } from '../ops/log.ts'
import { appendEvent } from '../rooms/append-event.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { createRoomHistory } from '../rooms/history/create-room-history.ts'
import type { RoomHistory } from '../rooms/history/room-history.ts'
import { serveBackfill, serveEvent, serveMissingEvents } from '../rooms/history/serve-events.ts'
import { serveState, serveStateIds } from '../rooms/history/serve-state.ts'
import {
  alice,
  createTestRoom,
  knowOnly,
  OURS,
  openTwoServers,
  peersOf,
  say,
} from '../rooms/history/test-peers.ts'
import type { RoomPeers } from '../rooms/peers/room-peers.ts'
import { END, findEvent } from '../rooms/read-events.ts'
import { assertTaken, openScene } from '../rooms/receive/test-scene.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { writeToRoom } from '../rooms/write-to-room.ts'
import { compileEventFilter } from '../sync/filter.ts'
import { PURGE_HISTORY, purgeHistory, purgeHistoryKind, type PurgeHistoryInput } from './purge-history.ts'
import { createJobs, type Jobs } from './runner.ts'

const nobody: RoomHistory = { mayLack: async () => false, fill: async () => false }

function jobsOf(engine: RoomEngine): Jobs {
  const { db, clock, random } = engine
  return createJobs({ db, clock, random, logger: silentLogger }, [purgeHistoryKind(engine)])
}

/** Purges, and waits until it is done. */
async function purge(engine: RoomEngine, room: RoomInfo, input: PurgeHistoryInput): Promise<void> {
  await using jobs = jobsOf(engine)
  const { id } = await purgeHistory({ rooms: engine, jobs }, room.roomId, input)
  await jobs.idle()
  assert.equal((await findJob(engine.db, id))!.error, '')
}

/** What somebody who was there all the time reads back to, the newest first: what was said, and types of state. */
async function readBack(engine: RoomEngine, room: RoomInfo, history = nobody): Promise<unknown[]> {
  const page = await readPage(
    { rooms: engine, history },
    { userId: alice },
    { room, membership: 'join', stateRoot: async () => 0, upTo: END - 1, isWhole: true },
    { from: undefined, to: undefined, backwards: true, limit: 1_000, filter: compileEventFilter({}) },
  )
  return page.events.map(({ event }) => event.content['body'] ?? event.type)
}

/** In one write. */
function sayMany(engine: RoomEngine, room: RoomInfo, from: number, to: number): Promise<EventId[]> {
  return writeToRoom(engine, room.roomId, async (write) => {
    const ids: EventId[] = []
    for (let n = from; n < to; n++) {
      const content = { msgtype: 'm.text', body: `m${n}` }
      const { stored } = await appendEvent(engine, write, { type: 'm.room.message', sender: alice, content })
      ids.push(stored.eventId)
    }
    return { value: ids }
  })
}

const pdusOf = (text: string, key = 'pdus'): { content: { body?: string } }[] =>
  (JSON.parse(text) as Record<string, { content: { body?: string } }[]>)[key]!
const bodiesOf = (text: string, key?: string): unknown[] =>
  pdusOf(text, key).map(({ content }) => content.body)

const isRefusal =
  (errcode: string) =>
  (error: unknown): boolean =>
    error instanceof MatrixError && error.errcode === errcode

for (const driver of await findTestDrivers()) {
  describe(`purging a room’s history on ${driver.name}`, { skip: driver.skip }, () => {
    it('removes what was said before an event, and leaves a room that everybody goes on from', async () => {
      await using servers = await openTwoServers(driver)
      const { resident: engine } = servers
      const room = await createTestRoom(engine)
      const old = await sayMany(engine, room, 0, 250)
      const topic = { roomId: room.roomId, type: 'm.room.topic', sender: alice, stateKey: '' }
      const topicId = await sendEvent(engine, { ...topic, content: { topic: 'kept', body: 'topic' } })
      const ids = await sayMany(engine, room, 250, 260)
      await purge(engine, room, { upTo: { eventId: ids[0]! }, deletesOwn: true })
      const read = await readBack(engine, room)
      assert.deepEqual(read.slice(0, 11), [...Array.from({ length: 10 }, (_, n) => `m${259 - n}`), 'topic'])
      assert.equal(read.filter((one) => String(one).startsWith('m.room.')).length, read.length - 11)
      for (const id of [old[0]!, old.at(-1)!]) {
        assert.equal(await findEvent(engine, id), undefined)
        await assert.rejects(serveEvent(engine, OURS, id), isRefusal('M_NOT_FOUND'))
      }
      // To other servers it is a room whose messages before that this one does not have, and whose state it knows.
      const [first, third] = [ids[0]!, ids[2]!]
      const { roomId } = room
      assert.deepEqual(bodiesOf(await serveBackfill(engine, OURS, roomId, [third], 100)), [
        'm252',
        'm251',
        'm250',
        'topic',
      ])
      assert.deepEqual(bodiesOf(await serveBackfill(engine, OURS, roomId, [old[5]!], 100)), [])
      const gap = { latest: [third], earliest: [], limit: 20, minDepth: 0 }
      assert.deepEqual(bodiesOf(await serveMissingEvents(engine, OURS, roomId, gap), 'events'), [
        'topic',
        'm250',
        'm251',
      ])
      const state = JSON.parse(await serveStateIds(engine, OURS, roomId, first)) as { pdu_ids: string[] }
      assert.ok(state.pdu_ids.includes(topicId))
      assert.equal(pdusOf(await serveState(engine, OURS, roomId, first)).length, state.pdu_ids.length)
      const known = await knowOnly(servers, room, ids.at(-1)!)
      const history = createRoomHistory(servers.ours, { peers: peersOf(engine) })
      const theirs = await readBack(servers.ours, known, history)
      assert.deepEqual(theirs, [...Array.from({ length: 10 }, (_, n) => `m${259 - n}`), 'topic'])
      // And it goes on, from memory and from what is stored.
      await say(engine, roomId, 'goes on')
      engine.heads.delete(roomId)
      await say(engine, roomId, 'and on')
      assert.deepEqual((await readBack(engine, room)).slice(0, 3), ['and on', 'goes on', 'm259'])
    })

    it('is not filled again by other servers, neither by reading nor by what they send', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const ids = await sayMany(resident, theirs, 0, 60)
      const room = await knowOnly(servers, theirs, ids.at(-1)!)
      let asked = 0
      const peers: RoomPeers = peersOf(resident)
      const counting: RoomPeers = { ...peers, backfill: (...args) => (asked++, peers.backfill(...args)) }
      const history = createRoomHistory(ours, { peers: counting })
      await readBack(ours, room, history)
      assert.ok(asked > 0)
      await purge(ours, room, { upTo: { eventId: ids[40]! }, deletesOwn: true })
      asked = 0
      const left = (await readBack(ours, room, history)).filter((one) => !String(one).startsWith('m.room.'))
      assert.deepEqual(
        left,
        Array.from({ length: 20 }, (_, n) => `m${59 - n}`),
      )
      assert.deepEqual([asked, await countBackwardExtremities(ours.db, room.roomNid)], [0, 0])
    })

    it('a gap that reaches down to the cut is filled as far as that, and is none from then on', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const ids = await sayMany(resident, theirs, 0, 60)
      const room = await knowOnly(servers, theirs, ids.at(-1)!)
      const { depth } = (await findEvent(resident, ids[39]!))!
      const step = {
        sql: 'INSERT INTO history_cuts (room_nid, depth) VALUES (?, ?)',
        params: [room.roomNid, depth],
      }
      await ours.db.commit({ entries: [], steps: [step] })
      const history = createRoomHistory(ours, { peers: peersOf(resident) })
      const read = (await readBack(ours, room, history)).filter((one) => !String(one).startsWith('m.room.'))
      assert.deepEqual(
        read,
        Array.from({ length: 20 }, (_, n) => `m${59 - n}`),
      )
      assert.equal(await countBackwardExtremities(ours.db, room.roomNid), 0)
    })

    it('a server that goes on from what is gone is heard, and brings back no more than it goes on from', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const old = Array.from({ length: 12 }, (_, n) => branch.say(bob, `old ${n}`))
      assertTaken(await scene.receive(...old))
      const fork = branch.fork()
      const kept = branch.say(bob, 'kept')
      assertTaken(await scene.receive(kept))
      await scene.inbox.idle()
      await purge(engine, room, { upTo: { eventId: kept.eventId }, deletesOwn: true })
      assert.deepEqual(await scene.bodies(), ['kept'])
      const late = fork.say(bob, 'goes on from old 11')
      assertTaken(await scene.receive(late))
      await scene.inbox.idle()
      assert.deepEqual(new Set(await scene.bodies()), new Set(['kept', 'old 11', 'goes on from old 11']))
      await scene.say('both ends are followed')
      assert.equal((await scene.extremities()).length, 1)
    })

    it('up to a time; what people of this server said stays unless that is asked for, and so does the newest', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      assertTaken(await scene.receive(branch.say(bob, 'theirs')))
      await scene.inbox.idle()
      await scene.say('ours')
      const ts = engine.clock.now() + 1_000
      await purge(engine, room, { upTo: { ts }, deletesOwn: false })
      assert.deepEqual(await scene.bodies(), ['ours'])
      await scene.say('newest')
      await purge(engine, room, { upTo: { ts }, deletesOwn: true })
      assert.deepEqual(await scene.bodies(), ['newest'])
      await scene.say('goes on')
      assert.deepEqual(await scene.bodies(), ['newest', 'goes on'])
    })

    it('goes on after a stop where it was', async () => {
      await using servers = await openTwoServers(driver)
      const { resident: engine } = servers
      const room = await createTestRoom(engine)
      const ids = await sayMany(engine, room, 0, 250)
      const stopped = jobsOf(engine)
      const { id } = await purgeHistory({ rooms: engine, jobs: stopped }, room.roomId, {
        upTo: { eventId: ids[240]! },
        deletesOwn: true,
      })
      // After the portion under way, as when the server stops.
      await stopped[Symbol.asyncDispose]()
      const { finishedTs, progress } = (await findJob(engine.db, id))!
      const gone = Number(progress['removed'] ?? 0)
      assert.deepEqual([finishedTs, gone < 240], [0, true])
      await using jobs = jobsOf(engine)
      await assert.rejects(
        purgeHistory({ rooms: engine, jobs }, room.roomId, { upTo: { eventId: ids[1]! }, deletesOwn: true }),
        /already in progress/,
      )
      jobs.wake()
      await jobs.idle()
      const job = (await findJob(engine.db, id))!
      assert.deepEqual([job.error, job.progress['removed'], job.finishedTs > 0], ['', 240, true])
      const rows = await findEventRows(engine.db, ids)
      assert.equal(rows.length, 10)
    })

    it('is refused for what is not known, and where nothing is to go', async () => {
      await using servers = await openTwoServers(driver)
      const { resident: engine } = servers
      const [room, other] = [await createTestRoom(engine), await createTestRoom(engine)]
      const [elsewhere] = await sayMany(engine, other, 0, 1)
      await using jobs = jobsOf(engine)
      const attempt = (upTo: PurgeHistoryInput['upTo'], roomId = room.roomId): Promise<unknown> =>
        purgeHistory({ rooms: engine, jobs }, roomId, { upTo, deletesOwn: true })
      await assert.rejects(attempt({ ts: 5 }, '!none:resident' as never), isRefusal('M_NOT_FOUND'))
      await assert.rejects(attempt({ eventId: '$none' as EventId }), isRefusal('M_NOT_FOUND'))
      await assert.rejects(attempt({ eventId: elsewhere! }), isRefusal('M_INVALID_PARAM'))
      await assert.rejects(attempt({ ts: 5 }), isRefusal('M_NOT_FOUND'))
      assert.equal((await engine.db.query('SELECT id FROM jobs WHERE kind = ?', [PURGE_HISTORY])).length, 0)
    })
  })
}
