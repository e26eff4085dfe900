import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { listSticky } from '@causeway/store/tables/sticky-events.ts'
import { readStateAt } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { createRoomHistory } from '../rooms/history/create-room-history.ts'
import type { RoomHistory } from '../rooms/history/room-history.ts'
import {
  alice,
  createTestRoom,
  knowOnly,
  OURS,
  openTwoServers,
  peersOf,
  RESIDENT,
  say,
} from '../rooms/history/test-peers.ts'
import type { RoomPeers } from '../rooms/peers/room-peers.ts'
import { END, findEvent } from '../rooms/read-events.ts'
import { receiveBatch } from '../rooms/receive/receive-batch.ts'
import { verifyPdus } from '../rooms/receive/verify-pdus.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { compileEventFilter } from '../sync/filter.ts'
import { formatPageToken, parsePageToken, type PageToken } from '../sync/pagination-token.ts'
import { readPage, type Page } from './history-page.ts'

const reader = { userId: '@bob:ours' as UserId }

interface Reading {
  readonly engine: RoomEngine
  readonly history: RoomHistory
  readonly room: RoomInfo
}

function page({ engine, history, room }: Reading, limit: number, from?: PageToken): Promise<Page> {
  const access = { room, membership: 'join', stateRoot: async () => 0, upTo: END - 1 }
  const filter = compileEventFilter({})
  const request = { from, to: undefined, backwards: true, limit, filter }
  return readPage({ rooms: engine, history }, reader, access, request)
}

/** Everything before a place, page by page, the newest first; tokens go through their text. */
async function readAll(reading: Reading, limit: number, from?: PageToken): Promise<EventId[]> {
  const ids: EventId[] = []
  let token = from
  for (let count = 0; count < 200; count++) {
    const { events, next } = await page(reading, limit, token)
    ids.push(...events.map(({ event }) => event.eventId))
    if (next === undefined || events.length === 0) return ids
    token = parsePageToken(formatPageToken(next))
  }
  throw new Error('reading comes to no end')
}

async function sayMany(engine: RoomEngine, room: RoomInfo, count: number): Promise<EventId[]> {
  const ids: EventId[] = []
  for (let n = 0; n < count; n++) ids.push(await say(engine, room.roomId, `message ${n}`))
  return ids
}

const nobody: RoomHistory = { mayLack: async () => false, fill: async () => false }

async function gapsOf(engine: RoomEngine, room: RoomInfo): Promise<string[]> {
  return (await listBackwardExtremities(engine.db, room.roomNid, END, 50)).map((gap) => gap.event_id)
}

/** Hands an event of the resident over, with the state before it where its parents are not to be had. */
async function deliver(
  { resident, ours }: { resident: RoomEngine; ours: RoomEngine },
  room: RoomInfo,
  eventId: EventId,
): Promise<void> {
  const peers = peersOf(resident)
  const [verdict] = await verifyPdus(peers, room, [await peers.getEvent(RESIDENT, eventId)])
  assert.ok(verdict?.ok)
  const { pduIds } = await peers.getStateIds(RESIDENT, room.roomId, eventId)
  const held = await findEventRows(ours.db, verdict.pdu.event.prevEventIds)
  const inGraph = new Set(held.map((row) => row.event_id))
  const gapStates = new Map(
    verdict.pdu.event.prevEventIds.filter((id) => !inGraph.has(id)).map((id) => [id, pduIds] as const),
  )
  const results = await receiveBatch(ours, room.roomId, [verdict.pdu], { gapStates })
  assert.deepEqual([...results.values()], [{ outcome: 'accepted' }])
}

for (const driver of await findTestDrivers()) {
  describe(`history over servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('reads a thousand events of another server in order, none twice and none left out', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      await sayMany(resident, theirs, 1_000)
      const last = await say(resident, theirs.roomId, 'the last')
      const expected = await readAll({ engine: resident, history: nobody, room: theirs }, 100)
      // The first events come before the room says that anybody may read it.
      assert.equal(expected.length, 1_003)
      const room = await knowOnly(servers, theirs, last)
      let batches = 0
      const peers = peersOf(resident)
      const counting: RoomPeers = {
        ...peers,
        backfill: (...args) => {
          batches++
          return peers.backfill(...args)
        },
      }
      const reading = { engine: ours, history: createRoomHistory(ours, { peers: counting }), room }
      assert.deepEqual(await readAll(reading, 37), expected)
      assert.ok(batches <= 12, `${batches} requests`)
      assert.deepEqual(await gapsOf(ours, room), [])
      // Nothing is asked for again.
      assert.deepEqual(await readAll({ ...reading, history: nobody }, 100), expected)
    })

    it('has what is sticky of it told by the log, since whoever is in the room shall have it', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const { roomId } = theirs
      const content = { msgtype: 'm.text', body: 'in the call' }
      const stickyMs = 3_600_000
      const eventId = await sendEvent(resident, {
        roomId,
        type: 'm.room.message',
        sender: alice,
        content,
        stickyMs,
      })
      const room = await knowOnly(servers, theirs, await say(resident, roomId, 'the last'))
      const before = ours.log.head()
      const history = createRoomHistory(ours, { peers: peersOf(resident) })
      assert.ok((await readAll({ engine: ours, history, room }, 100)).includes(eventId))
      const event = (await findEvent(ours, eventId))!
      assert.ok(event.nid < 0)
      assert.equal((await ours.sticky.untilOf([event])).size, 1)
      const entries = ours.log.ring.since(before)
      assert.ok(entries !== 'fell-behind')
      const [told] = entries.filter(({ kind }) => kind === 'sticky')
      const now = ours.clock.now()
      const range = { after: before, upTo: ours.log.head(), now, limit: 10 }
      const rows = await listSticky(ours.db, [room.roomNid], range)
      assert.deepEqual(
        rows.map((row) => [row.event_nid, row.position]),
        [[event.nid, told!.position]],
      )
    })

    it('knows the state at each event that it was told, and lets events that it held find their place', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const states: [EventId, string][] = []
      for (const topic of ['one', 'two', 'three']) {
        const send = (
          type: string,
          content: { [key: string]: string },
          stateKey?: string,
        ): Promise<EventId> =>
          sendEvent(resident, {
            roomId: theirs.roomId,
            type,
            sender: alice,
            content,
            ...(stateKey === undefined ? {} : { stateKey }),
          })
        await send('m.room.topic', { topic }, '')
        states.push([await say(resident, theirs.roomId, `under ${topic}`), topic])
      }
      const last = await say(resident, theirs.roomId, 'the last')
      const room = await knowOnly(servers, theirs, last)
      const create = await findEvent(ours, `$${room.roomId.slice(1)}` as EventId)
      assert.equal(create!.flags & EventFlag.outlier, EventFlag.outlier)
      const reading = { engine: ours, history: createRoomHistory(ours, { peers: peersOf(resident) }), room }
      const all = await readAll(reading, 10)
      assert.equal(all.length, 9)
      const placed = await findEvent(ours, create!.eventId)
      assert.equal(placed!.flags & EventFlag.outlier, 0)
      assert.notEqual(placed!.nid, create!.nid)
      for (const [eventId, topic] of states) {
        const event = await findEvent(ours, eventId)
        const entry = await readStateAt(ours, room, event!.stateRoot, 'm.room.topic', '')
        assert.equal(entry?.stored.content['topic'], topic)
      }
      const atCreate = await readStateAt(ours, room, placed!.stateRoot, 'm.room.topic', '')
      assert.equal(atCreate, undefined)
    })

    it('crosses a gap in the middle, between what came before it and what came after', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      await sayMany(resident, theirs, 5)
      const first = await say(resident, theirs.roomId, 'before the gap')
      const room = await knowOnly(servers, theirs, first)
      const next = await say(resident, theirs.roomId, 'still before the gap')
      await deliver(servers, room, next)
      await sayMany(resident, theirs, 150)
      const after = await say(resident, theirs.roomId, 'after the gap')
      await deliver(servers, room, after)
      assert.equal((await findEvent(ours, after))!.flags & EventFlag.gapBefore, EventFlag.gapBefore)
      const reading = { engine: ours, history: createRoomHistory(ours, { peers: peersOf(resident) }), room }
      const expected = await readAll({ engine: resident, history: nobody, room: theirs }, 100)
      // As a sync that stopped at the gap tells its reader to go on.
      const before = (await findEvent(ours, after))!.nid
      const fromSync = await readAll(reading, 20, { order: 'arrival', before })
      assert.deepEqual([after, ...fromSync], expected)
      assert.deepEqual(await readAll(reading, 33), expected)
      const dense = await readAll({ ...reading, history: nobody }, 100)
      assert.deepEqual(dense, expected)
    })

    it('reads over branches in the order of the graph', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const ids = await sayMany(resident, theirs, 3)
      const room = await knowOnly(servers, theirs, ids[2]!)
      const reading = { engine: ours, history: createRoomHistory(ours, { peers: peersOf(resident) }), room }
      await readAll(reading, 10)
      const forks = await Promise.all(['left', 'right'].map((body) => say(resident, theirs.roomId, body)))
      for (const id of forks) await deliver(servers, room, id)
      const mine = await readAll(reading, 4)
      assert.equal(new Set(mine).size, mine.length)
      assert.equal(mine.length, 7)
    })

    it('gets nothing from servers that send what is not asked for', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const other = await createTestRoom(resident)
      await sayMany(resident, theirs, 20)
      const elsewhere = await sayMany(resident, other, 20)
      const last = await say(resident, theirs.roomId, 'the last')
      const room = await knowOnly(servers, theirs, last)
      const good = peersOf(resident)
      const before = await gapsOf(ours, room)
      const count = async (): Promise<unknown> =>
        (await ours.db.query('SELECT count(*) AS n FROM events', []))[0]?.['n']
      const held = await count()
      const answers: Record<string, () => Promise<unknown[]>> = {
        'another room': () => good.backfill(RESIDENT, other.roomId, [elsewhere.at(-1)!], 100),
        'no events': async () => ['x', null, 7, {}, []],
        'unsigned events': async () =>
          (await good.backfill(RESIDENT, theirs.roomId, before as EventId[], 100)).map((pdu) => ({
            ...(pdu as object),
            signatures: {},
          })),
        'other content': async () =>
          (await good.backfill(RESIDENT, theirs.roomId, before as EventId[], 100)).map((pdu) => ({
            ...(pdu as object),
            origin_server_ts: 1,
          })),
        'older events only': async () =>
          (await good.backfill(RESIDENT, theirs.roomId, before as EventId[], 100)).slice(1),
        'a refusal': () => Promise.reject(new Error('no')),
        huge: async () => Array.from({ length: 5_000 }, (_, n) => ({ n })),
      }
      for (const [name, backfill] of Object.entries(answers)) {
        const failures: unknown[] = []
        const history = createRoomHistory(ours, {
          peers: { ...good, backfill },
          onFailure: ({ error }) => failures.push(error),
        })
        const ids = await readAll({ engine: ours, history, room }, 10)
        assert.deepEqual(ids, [last], name)
        assert.equal(failures.length, 1, name)
        assert.equal(await count(), held, name)
      }
      assert.deepEqual(await gapsOf(ours, room), before)
    })

    it('refuses events of history that the room did not allow, and goes on behind them', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      const ids = await sayMany(resident, theirs, 10)
      const last = await say(resident, theirs.roomId, 'the last')
      const room = await knowOnly(servers, theirs, last)
      const good = peersOf(resident)
      // The state before the batch is told without its sender's membership.
      const member = await findEvent(resident, ids[0]!)
      const entry = await readStateAt(resident, theirs, member!.stateRoot, 'm.room.member', alice)
      const lying: RoomPeers = {
        ...good,
        backfill: (server, roomId, from) => good.backfill(server, roomId, from, 12),
        async getStateIds(...args) {
          const told = await good.getStateIds(...args)
          return { ...told, pduIds: told.pduIds.filter((id) => id !== entry!.stored.eventId) }
        },
      }
      const history = createRoomHistory(ours, { peers: lying })
      await readAll({ engine: ours, history, room }, 5)
      const rows = await findEventRows(ours.db, ids)
      assert.ok(rows.length > 0)
      const shown = await readAll({ engine: ours, history: nobody, room }, 50)
      for (const row of rows) {
        const isRejected = (row.flags & EventFlag.rejected) !== 0
        assert.equal(shown.includes(row.event_id as EventId), !isRejected)
      }
      assert.deepEqual(await gapsOf(ours, room), [])
    })

    it('asks the next server when one hangs or fails, and answers in time with what there is', async () => {
      await using servers = await openTwoServers(driver)
      const { resident, ours } = servers
      const theirs = await createTestRoom(resident)
      await sayMany(resident, theirs, 10)
      const last = await say(resident, theirs.roomId, 'the last')
      const room = await knowOnly(servers, theirs, last)
      const good = peersOf(resident)
      const asked: ServerName[] = []
      const history = createRoomHistory(ours, {
        peers: {
          ...good,
          backfill: (server, ...rest) => {
            asked.push(server)
            return server === RESIDENT ? Promise.reject(new Error('down')) : good.backfill(server, ...rest)
          },
        },
      })
      const { serverCameIn } = await import('@causeway/store/tables/room-servers.ts')
      await ours.db.commit({ entries: [], steps: [serverCameIn(room.roomNid, 'third', 1)] })
      const all = await readAll({ engine: ours, history, room }, 50)
      assert.deepEqual(asked, [RESIDENT, 'third'])
      assert.equal(all.length, 13)
      assert.ok(!asked.includes(OURS))
    })
  })
}
