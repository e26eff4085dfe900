import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { createRoom } from './create-room.ts'
import type { RoomEngine } from './engine.ts'
import { appendEvent } from './append-event.ts'
import { BEGINNING, END, listTimeline } from './read-events.ts'
import { findRoom } from './load-head.ts'
import { openTestEngine } from './test-engine.ts'
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

for (const driver of await findTestDrivers()) {
  describe(`writes to a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('a write that is refused takes none of those along that were built on it, however many are refused', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await createRoom(engine, {
        rules: findRoomVersion('12')!,
        creator: sender,
        preset: 'public_chat',
        creationContent: {},
        initialState: [],
        invite: [],
        isDirect: false,
        powerLevelOverride: {},
        creatorProfile: {},
        profileOf: () => ({}),
      })
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
  })
}
