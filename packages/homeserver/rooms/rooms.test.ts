import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { findRoomVersion, SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import { verifyEvent } from '@causeway/matrix/signing/verify-event.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { publicKeyOf } from '../crypto/signing-key.ts'
import { sha256 } from '../crypto/sha256.ts'
import { verifySignature } from '../crypto/verify.ts'
import { createRoom, type CreateRoomInput } from './create-room.ts'
import { listStateAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { findRoom } from './load-head.ts'
import { changeMembership } from './membership.ts'
import { BEGINNING, END, findEvent, listTimeline } from './read-events.ts'
import { sendEvent } from './send.ts'
import { pduOfRow } from './stored-event.ts'
import { openTestEngine } from './test-engine.ts'
import { plainRoom } from './test-room.ts'
import { filterVisible } from './visibility.ts'

const alice = '@alice:test' as UserId
const bob = '@bob:test' as UserId

function newRoom(more: Partial<CreateRoomInput> = {}): CreateRoomInput {
  return plainRoom(alice, { name: 'A room', creatorProfile: { displayName: 'Alice' }, ...more })
}

function say(engine: RoomEngine, roomId: RoomId, body: string, sender = alice): Promise<EventId> {
  return sendEvent(engine, { roomId, type: 'm.room.message', sender, content: { msgtype: 'm.text', body } })
}

async function bodies(engine: RoomEngine, roomId: RoomId): Promise<unknown[]> {
  const room = (await findRoom(engine, roomId))!
  const events = await listTimeline(engine, room, {
    after: BEGINNING,
    before: END,
    backwards: false,
    limit: 500,
  })
  return events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content['body'])
}

for (const driver of await findTestDrivers()) {
  describe(`rooms on ${driver.name}`, { skip: driver.skip }, () => {
    it('makes as many rooms as are asked for, also of one kind in one millisecond', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { clock } = opened.engine
      const engine = { ...opened.engine, clock: { ...clock, now: () => 1_800_000_000_000 } }
      const made = await Promise.all([1, 2, 3].map(() => createRoom(engine, newRoom())))
      made.push(await createRoom(engine, newRoom()))
      assert.equal(new Set(made).size, 4)
      for (const roomId of made) await say(engine, roomId, `in ${roomId}`)
      for (const roomId of made) assert.deepEqual(await bodies(engine, roomId), [`in ${roomId}`])
    })

    it('makes a room of every version whose stored events have valid hashes and signatures', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine, db } = opened
      const publicKey = publicKeyOf({ keyId: 'ed25519:t' as never, seed: new Uint8Array(32).fill(7) })
      for (const version of SUPPORTED_ROOM_VERSIONS) {
        const rules = findRoomVersion(version)!
        const roomId = await createRoom(engine, newRoom({ rules }))
        await say(engine, roomId, 'hello')
        const room = (await findRoom(engine, roomId))!
        const events = await listTimeline(engine, room, {
          after: BEGINNING,
          before: END,
          backwards: false,
          limit: 50,
        })
        assert.equal(events.at(-1)!.content['body'], 'hello')
        const rows = await findEventRows(
          db,
          events.map(({ eventId }) => eventId),
        )
        for (const row of rows) {
          const verdict = verifyEvent(rules, pduOfRow(row), {
            sha256,
            verify: verifySignature,
            findKey: () => ({ publicKey, validUntilTs: Number.MAX_SAFE_INTEGER }),
          })
          assert.equal(verdict.outcome, 'valid', `${version} ${row.event_id}: ${JSON.stringify(verdict)}`)
        }
      }
    })

    it('keeps the order of a hundred concurrent sends, and all of them after a restart', async () => {
      await using database = await driver.create()
      const expected: string[] = []
      let roomId: RoomId
      {
        await using opened = await openTestEngine(database.config)
        roomId = await createRoom(opened.engine, newRoom())
        const sends = Array.from({ length: 100 }, (_, i) => {
          expected.push(`m${i}`)
          return say(opened.engine, roomId, `m${i}`)
        })
        await Promise.all(sends)
        assert.deepEqual(await bodies(opened.engine, roomId), expected)
      }
      await using reopened = await openTestEngine(database.config)
      assert.deepEqual(await bodies(reopened.engine, roomId), expected)
      await say(reopened.engine, roomId, 'after')
      assert.deepEqual(await bodies(reopened.engine, roomId), [...expected, 'after'])
    })

    it('refuses who is not in the room, and what the power levels forbid, with the reason', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await createRoom(engine, newRoom())
      const refused = (reason: RegExp) => (error: unknown) =>
        error instanceof MatrixError && error.errcode === 'M_FORBIDDEN' && reason.test(error.message)
      await assert.rejects(say(engine, roomId, 'let me in', bob), refused(/join it first/))
      await changeMembership(engine, { roomId, action: 'join', sender: bob, target: bob })
      await say(engine, roomId, 'thanks', bob)
      const topic = { roomId, type: 'm.room.topic', stateKey: '', sender: bob, content: { topic: 'mine' } }
      await assert.rejects(sendEvent(engine, topic), refused(/50/))
      await changeMembership(engine, { roomId, action: 'ban', sender: alice, target: bob })
      await assert.rejects(say(engine, roomId, 'hey', bob), refused(/join it first/))
    })

    it('a refused companion takes no other write of the room with it', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await createRoom(engine, newRoom())
      const conflict = { sql: 'INSERT INTO published_rooms (room_nid) VALUES (?)', params: [99] }
      const withConflict = (body: string) =>
        sendEvent(engine, {
          roomId,
          type: 'm.room.message',
          sender: alice,
          content: { body },
          companions: () => ({ steps: [conflict] }),
        })
      await withConflict('first')
      const results = await Promise.allSettled([
        say(engine, roomId, 'a'),
        withConflict('second'),
        say(engine, roomId, 'b'),
        say(engine, roomId, 'c'),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
      )
      assert.deepEqual(new Set(await bodies(engine, roomId)), new Set(['first', 'a', 'b', 'c']))
    })

    it('redaction leaves nothing of the content, in the database, in memory and in state', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine, db } = opened
      const roomId = await createRoom(engine, newRoom())
      const target = await say(engine, roomId, 'secret')
      await sendEvent(engine, {
        roomId,
        type: 'm.room.redaction',
        sender: alice,
        content: {},
        redacts: target,
      })
      assert.deepEqual((await findEvent(engine, target))!.content, {})
      const [row] = await findEventRows(db, [target])
      assert.doesNotMatch(Buffer.from(row!.json).toString(), /secret/)
      const inRing = engine.log.ring.since(0)
      assert.doesNotMatch(JSON.stringify(inRing), /secret/)
    })

    it('what was read before a redaction, and comes after it, brings nothing back', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const roomId = await createRoom(engine, newRoom())
      const target = await say(engine, roomId, 'secret')
      engine.events.delete(target)
      const late = Promise.withResolvers<void>()
      const query: typeof engine.db.query = async (sql, params) => {
        const rows = await engine.db.query(sql, params)
        await late.promise
        return rows as never
      }
      const slow = { ...engine, db: Object.assign(Object.create(engine.db) as typeof engine.db, { query }) }
      const reading = findEvent(slow, target)
      await sendEvent(engine, {
        ...{ roomId, type: 'm.room.redaction', sender: alice, content: {}, redacts: target },
      })
      late.resolve()
      await reading
      assert.deepEqual((await findEvent(engine, target))!.content, {})
    })

    it('shows history by visibility and membership', async () => {
      await using database = await driver.create()
      await using opened = await openTestEngine(database.config)
      const { engine } = opened
      const visibility = {
        type: 'm.room.history_visibility',
        stateKey: '',
        content: { history_visibility: 'joined' },
      }
      const roomId = await createRoom(engine, newRoom({ initialState: [visibility] }))
      await say(engine, roomId, 'before')
      await changeMembership(engine, { roomId, action: 'join', sender: bob, target: bob })
      await say(engine, roomId, 'during')
      await changeMembership(engine, { roomId, action: 'leave', sender: bob, target: bob })
      await say(engine, roomId, 'after')
      const room = (await findRoom(engine, roomId))!
      const events = await listTimeline(engine, room, {
        after: BEGINNING,
        before: END,
        backwards: false,
        limit: 50,
      })
      const seen = await filterVisible(engine, room, bob, events)
      const messages = seen.filter(({ event }) => event.type === 'm.room.message')
      assert.deepEqual(
        messages.map(({ event }) => event.content['body']),
        ['during'],
      )
      const state = await listStateAt(engine, room, events.at(-1)!.stateRoot)
      assert.equal(state.find(({ stored }) => stored.stateKey === bob)!.stored.content['membership'], 'leave')
    })
  })
}
