import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { describe, it } from 'node:test'
import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { listStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { findEvent } from '../read-events.ts'
import { appendEvent } from '../append-event.ts'
import { sendEvent } from '../send.ts'
import type { RoomInfo } from '../stored-event.ts'
import { openTestEngine } from '../test-engine.ts'
import { writeToRoom } from '../write-to-room.ts'
import { serveBackfill, serveEvent, serveMissingEvents } from './serve-events.ts'
import { serveEventAuth, serveState, serveStateIds } from './serve-state.ts'
import { serveTimestamp } from './serve-timestamp.ts'
import { alice, createTestRoom, letIn, OURS, RESIDENT, say } from './test-peers.ts'

const carol = '@carol:ours' as UserId
const BANNED = 'banned.example' as ServerName

function send(
  engine: RoomEngine,
  room: RoomInfo,
  type: string,
  stateKey: string,
  content: JsonObject,
  sender = alice,
): Promise<EventId> {
  return sendEvent(engine, { roomId: room.roomId, type, stateKey, content, sender })
}

const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
const pdusOf = (text: string): JsonObject[] => parse(text)['pdus'] as JsonObject[]

function refusal(errcode: string): (error: unknown) => boolean {
  return (error) => error instanceof MatrixError && error.errcode === errcode
}

for (const driver of await findTestDrivers()) {
  describe(`history for other servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('shows a server what its users could see, and the rest in redacted form', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      /** What the server may see under each visibility, before it came, while it was invited, joined and gone. */
      const matrix = {
        world_readable: [true, true, true, true],
        shared: [true, true, true, true],
        invited: [false, true, true, false],
        joined: [false, false, true, false],
      }
      const told: [name: string, eventId: EventId, visible: boolean][] = []
      const stages = [undefined, 'invite', 'join', 'leave'] as const
      for (const [stage, membership] of stages.entries()) {
        if (membership !== undefined) {
          await send(
            engine,
            room,
            'm.room.member',
            carol,
            { membership },
            membership === 'invite' ? alice : carol,
          )
        }
        for (const [visibility, visible] of Object.entries(matrix)) {
          await send(engine, room, 'm.room.history_visibility', '', { history_visibility: visibility })
          const eventId = await say(engine, room.roomId, 'secret')
          told.push([`${visibility} at ${membership ?? 'first'}`, eventId, visible[stage]!])
        }
      }
      // Her leave is a change of the server's own: the side on which she was in the room counts.
      await send(engine, room, 'm.room.history_visibility', '', { history_visibility: 'shared' })
      await send(engine, room, 'm.room.member', carol, { membership: 'join' }, carol)
      await send(engine, room, 'm.room.history_visibility', '', { history_visibility: 'joined' })
      const left = await send(
        engine,
        room,
        'm.room.member',
        carol,
        { membership: 'leave', reason: 'r' },
        carol,
      )
      await letIn(engine, room, OURS)
      for (const [name, eventId, visible] of told) {
        const [pdu] = pdusOf(await serveEvent(engine, OURS, eventId))
        assert.deepEqual(pdu!['content'], visible ? { msgtype: 'm.text', body: 'secret' } : {}, name)
      }
      const [leave] = pdusOf(await serveEvent(engine, OURS, left))
      assert.equal((leave!['content'] as JsonObject)['reason'], 'r')
      const back = pdusOf(await serveBackfill(engine, OURS, room.roomId, [left], 100))
      const secrets = back.filter((pdu) => pdu['type'] === 'm.room.message')
      assert.equal(secrets.length, told.length)
      const shown = secrets.filter((pdu) => Object.keys(pdu['content'] as JsonObject).length > 0)
      assert.equal(shown.length, told.filter(([, , visible]) => visible).length)
    })

    it('tells nothing to servers that are not in the room, or that its list keeps out', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      const eventId = await say(engine, room.roomId, 'x')
      const calls = (server: ServerName): Promise<string>[] => [
        serveEvent(engine, server, eventId),
        serveState(engine, server, room.roomId, eventId),
        serveStateIds(engine, server, room.roomId, eventId),
        serveEventAuth(engine, server, room.roomId, eventId),
        serveBackfill(engine, server, room.roomId, [eventId], 10),
        serveMissingEvents(engine, server, room.roomId, {
          earliest: [],
          latest: [eventId],
          limit: 10,
          minDepth: 0,
        }),
        serveTimestamp(engine, server, room.roomId, 0, 'f'),
      ]
      await letIn(engine, room, BANNED)
      await Promise.all(calls(BANNED))
      await send(engine, room, 'm.room.server_acl', '', { allow: ['*'], deny: [BANNED] })
      for (const server of [BANNED, 'stranger.example' as ServerName]) {
        await Promise.all(calls(server).map((call) => assert.rejects(call, refusal('M_FORBIDDEN'))))
      }
      await Promise.all(calls(OURS))
      const other = await createTestRoom(engine)
      const elsewhere = await say(engine, other.roomId, 'y')
      await assert.rejects(serveState(engine, OURS, room.roomId, elsewhere), refusal('M_NOT_FOUND'))
      await assert.rejects(serveEventAuth(engine, OURS, room.roomId, elsewhere), refusal('M_NOT_FOUND'))
      assert.deepEqual(pdusOf(await serveBackfill(engine, OURS, room.roomId, [elsewhere], 10)), [])
    })

    it('answers with the state before an event, and with all that permits it', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      await send(engine, room, 'm.room.member', carol, { membership: 'join' }, carol)
      await send(engine, room, 'm.room.topic', '', { topic: 'one' })
      const changed = await send(engine, room, 'm.room.topic', '', { topic: 'two' })
      const event = (await findEvent(engine, changed))!
      const before = (await listStateAt(engine, room, event.stateBefore)).map(({ stored }) => stored.eventId)
      const ids = parse(await serveStateIds(engine, OURS, room.roomId, changed))
      assert.deepEqual(new Set(ids['pdu_ids'] as string[]), new Set(before))
      const whole = parse(await serveState(engine, OURS, room.roomId, changed))
      const topics = (whole['pdus'] as JsonObject[]).filter((pdu) => pdu['type'] === 'm.room.topic')
      assert.deepEqual(
        topics.map((pdu) => pdu['content']),
        [{ topic: 'one' }],
      )
      const chain = parse(await serveEventAuth(engine, OURS, room.roomId, changed))[
        'auth_chain'
      ] as JsonObject[]
      assert.deepEqual(
        chain.map((pdu) => pdu['type'] as string).toSorted((a, b) => (a < b ? -1 : 1)),
        ['m.room.create', 'm.room.member', 'm.room.power_levels'],
      )
      const authIds = new Set(ids['auth_chain_ids'] as string[])
      const rows = await findEventRows(engine.db, [...authIds])
      assert.equal(rows.length, authIds.size)
      assert.ok(authIds.has(`$${room.roomId.slice(1)}`))
    })

    it('goes back from the newest event within its limits, and fills a gap between two', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      const ids: EventId[] = []
      for (let n = 0; n < 150; n++) ids.push(await say(engine, room.roomId, `${n}`))
      const bodies = (pdus: readonly JsonObject[]): unknown[] =>
        pdus.map((pdu) => (pdu['content'] as JsonObject)['body'])
      const back = pdusOf(await serveBackfill(engine, OURS, room.roomId, [ids[149]!], 1_000))
      assert.deepEqual(
        bodies(back),
        Array.from({ length: 100 }, (_, n) => `${149 - n}`),
      )
      const missing = async (
        latest: number,
        earliest: number,
        limit: number,
        minDepth = 0,
      ): Promise<unknown[]> => {
        const gap = { latest: [ids[latest]!], earliest: [ids[earliest]!], limit, minDepth }
        return bodies(
          parse(await serveMissingEvents(engine, OURS, room.roomId, gap))['events'] as JsonObject[],
        )
      }
      assert.deepEqual(await missing(9, 4, 10), ['5', '6', '7', '8'])
      assert.deepEqual(
        await missing(100, 0, 1_000),
        Array.from({ length: 20 }, (_, n) => `${80 + n}`),
      )
      const { depth } = (await findEvent(engine, ids[7]!))!
      assert.deepEqual(await missing(9, 4, 10, depth), ['7', '8'])
    })

    it('finds the event closest to a time', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      const start = engine.clock.now() + 1_000_000
      const ids: EventId[] = []
      for (let n = 0; n < 300; n++) {
        const content = { msgtype: 'm.text', body: `${n}` }
        // Every seventh clock is behind.
        const originServerTs = start + n * 1_000 - (n % 7 === 0 ? 5_500 : 0)
        const draft = { roomId: room.roomId, type: 'm.room.message', sender: alice, content, originServerTs }
        ids.push(await sendEvent(engine, draft))
      }
      const at = async (ts: number, direction: 'f' | 'b'): Promise<unknown> =>
        parse(await serveTimestamp(engine, OURS, room.roomId, ts, direction))['event_id']
      assert.equal(await at(start + 150_000, 'f'), ids[150])
      assert.equal(await at(start + 150_100, 'b'), ids[150])
      assert.equal(await at(start + 148_600, 'b'), ids[154])
      await assert.rejects(at(start + 1_000_000, 'f'), refusal('M_NOT_FOUND'))
      await assert.rejects(at(0, 'b'), refusal('M_NOT_FOUND'))
      assert.equal(await at(start + 1_000_000, 'b'), ids[299])
    })

    it('tells the ids of a state of 10,000 members within 100 ms of the processor', async (t) => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config, undefined, RESIDENT)
      const { engine } = opened
      const room = await createTestRoom(engine)
      for (let at = 0; at < 10_000; at += 500) {
        await writeToRoom(engine, room.roomId, async (write) => {
          for (let n = at; n < at + 500; n++) {
            const userId = `@user${n}:elsewhere.example` as UserId
            const content = { membership: 'join' }
            await appendEvent(engine, write, {
              type: 'm.room.member',
              sender: userId,
              stateKey: userId,
              content,
            })
          }
          return { value: undefined }
        })
      }
      const last = await say(engine, room.roomId, 'last')
      for (const run of ['first', 'second']) {
        const started = process.cpuUsage()
        const from = performance.now()
        const ids = parse(await serveStateIds(engine, OURS, room.roomId, last))
        const { user, system } = process.cpuUsage(started)
        const cpu = (user + system) / 1_000
        const wall = performance.now() - from
        assert.ok((ids['pdu_ids'] as string[]).length > 10_000)
        t.diagnostic(`state_ids of 10,000 members, ${run}: ${cpu.toFixed(0)} ms CPU, ${wall.toFixed(0)} ms`)
        console.log(`state_ids of 10,000 members on ${driver.name}, ${run} time: ${cpu.toFixed(0)} ms CPU`)
        if (run === 'second') assert.ok(cpu < 100, `${cpu} ms`)
      }
    })
  })
}
