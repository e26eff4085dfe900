import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { createRoom } from './create-room.ts'
import type { RoomEngine } from './engine.ts'
import { appendEvent } from './append-event.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { changeMembership } from './membership.ts'
import { sendEvent, type SendInput } from './send.ts'
import { BEGINNING, END, findEvent, listTimeline } from './read-events.ts'
import { findRoom } from './load-head.ts'
import { readNewestState } from './newest-state.ts'
import { stateOf } from './room-write.ts'
import { openTestEngine } from './test-engine.ts'
import { plainRoom } from './test-room.ts'
import { CompanionRefused, writeToRoom } from './write-to-room.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'

const sender = '@alice:test' as UserId

/** A message together with a step that no database accepts, as one with a used transaction id is not. */
function say(engine: RoomEngine, roomId: RoomId, body: string, isRefused: boolean): Promise<string> {
  return writeToRoom(engine, roomId, async (write) => {
    await appendEvent(engine, write, { type: 'm.room.message', sender, content: { body } })
    const sql = 'UPDATE rooms SET version = version WHERE nid = -1'
    return {
      value: body,
      ...(isRefused ? { companions: { steps: [{ sql, params: [], expectRows: 1 }] } } : {}),
    }
  })
}

function makeRoom(engine: RoomEngine): Promise<RoomId> {
  return createRoom(engine, plainRoom(sender))
}

for (const driver of await findTestDrivers()) {
  describe(`writes to a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('a write that is refused takes none of those along that were built on it, however many are refused', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await makeRoom(engine)
      const numbers = [...Array(200).keys()]
      const isRefused = (number: number): boolean => number % 3 !== 0
      const outcomes = await Promise.allSettled(
        numbers.map(async (number) => {
          // In many batches of the log, each beginning with writes that are built on what the one before lost.
          for (let turn = 0; turn < number % 23; turn++) await new Promise(setImmediate)
          return say(engine, roomId, `m${number}`, isRefused(number))
        }),
      )
      for (const [number, outcome] of outcomes.entries()) {
        if (isRefused(number))
          assert.ok(outcome.status === 'rejected' && outcome.reason instanceof CompanionRefused, `${number}`)
        else
          assert.equal(outcome.status, 'fulfilled', String(outcome.status === 'rejected' && outcome.reason))
      }
      const room = (await findRoom(engine, roomId))!
      const range = { after: BEGINNING, before: END, backwards: false, limit: 500 }
      const events = await listTimeline(engine, room, range)
      const bodies = events.flatMap(({ content }) => (content['body'] === undefined ? [] : [content['body']]))
      const expected = numbers.filter((number) => !isRefused(number)).map((number) => `m${number}`)
      assert.equal(bodies.length, expected.length)
      assert.deepEqual(new Set(bodies), new Set(expected))
    })

    it('what is so by a write on its way is answered once that is durable, and made so where it comes to nothing', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await makeRoom(engine)
      const bob = '@bob:test' as UserId
      const fails = Promise.withResolvers<never>()
      let writes = 0
      const append: typeof engine.log.append = (write) =>
        ++writes === 1 ? fails.promise : engine.log.append(write)
      const planted = { ...engine, log: { ...engine.log, append } }
      const join = (): Promise<unknown> =>
        changeMembership(planted, { roomId, action: 'join', sender: bob, target: bob })
      const once = assert.rejects(join(), /planted/)
      const again = join()
      // Both are built by now.
      await engine.queue.serial(roomId, async () => undefined)
      fails.reject(new Error('planted'))
      await once
      const eventId = (await again) as EventId
      assert.equal((await findEventRows(engine.db, [eventId])).length, 1)
      assert.ok((await engine.members.roomsOf(bob)).joined.has(roomId))
    })

    it('a redaction of ours finds its target though that is on its way to the disk', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await makeRoom(engine)
      const gate = Promise.withResolvers<void>()
      const append: typeof engine.log.append = async (write) => {
        await gate.promise
        return engine.log.append(write)
      }
      const planted = { ...engine, log: { ...engine.log, append } }
      const send = (draft: Pick<SendInput, 'type' | 'content' | 'redacts'>): Promise<EventId> =>
        sendEvent(planted, { roomId, sender, ...draft })
      const said = send({ type: 'm.room.message', content: { body: 'secret' } })
      await engine.queue.serial(roomId, async () => undefined)
      const [target] = engine.heads.peek(roomId)!.pending.keys()
      const redacted = send({ type: 'm.room.redaction', content: {}, redacts: target! })
      await engine.queue.serial(roomId, async () => undefined)
      gate.resolve()
      assert.equal(await said, target)
      await redacted
      assert.deepEqual((await findEvent(engine, target!))!.content, {})
    })

    it('a write that is given up leaves no number of a name behind, which another name gets then', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await makeRoom(engine)
      const setState = (type: string, more: () => void = () => undefined): Promise<unknown> =>
        writeToRoom(engine, roomId, async (write) => {
          await appendEvent(engine, write, { type, sender, stateKey: '', content: { type } })
          more()
          return { value: undefined }
        })
      const giveUp = (): never => {
        throw new Error('given up')
      }
      await assert.rejects(setState('test.first', giveUp), /given up/)
      await setState('test.second')
      await setState('test.first')
      for (const type of ['test.first', 'test.second']) {
        const read = writeToRoom(engine, roomId, async (write) => ({
          value: (await stateOf(engine, write, type, ''))?.stored.content,
        }))
        assert.deepEqual(await read, { type })
      }
      const room = (await findRoom(engine, roomId))!
      const names = ['test.first', 'test.second'].map((type) => ({ type, stateKey: '' }))
      const stored = await readNewestState(engine, room, names)
      assert.deepEqual(
        stored.map((entry) => entry?.stored.content),
        [{ type: 'test.first' }, { type: 'test.second' }],
      )
    })
  })
}
