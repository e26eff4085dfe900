import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { verifyEvent } from '@causeway/matrix/signing/verify-event.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { EventFlag, type LogEntry } from '@causeway/store/log/entry.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { sha256 } from '../crypto/sha256.ts'
import { publicKeyOf } from '../crypto/signing-key.ts'
import { verifySignature } from '../crypto/verify.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findHead, findRoom } from '../rooms/load-head.ts'
import { readCurrentState } from '../rooms/current-state.ts'
import { changeMembership } from '../rooms/membership.ts'
import { findEvent } from '../rooms/read-events.ts'
import { sendEvent } from '../rooms/send.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import { collectRoomState } from './collect-state.ts'
import { alice, bob, newRoom, openJobs, say } from './jobs-suite.ts'
import { redactUserIn } from './redact-user.ts'

const join = (engine: RoomEngine, roomId: RoomId) =>
  changeMembership(engine, {
    roomId,
    action: 'join',
    sender: bob,
    target: bob,
    profile: { displayName: 'Bob the Builder' },
  })

async function contentOf(engine: RoomEngine, eventId: EventId): Promise<unknown> {
  return (await findEvent(engine, eventId))?.content
}

for (const driver of await findTestDrivers()) {
  describe(`jobs about users on ${driver.name}`, { skip: driver.skip }, () => {
    it('erasing leaves redacted forms that verify, and what is the room’s or others’ as it was', async () => {
      await using target = await driver.create()
      let roomId: RoomId
      let bobs: EventId[]
      let state: EventId
      for (const version of ['12', '10', '1']) {
        {
          await using fixture = await openJobs(target.config)
          const { engine, jobs } = fixture
          roomId = await newRoom(engine, { version, powerLevelOverride: { users_default: 100 } })
          const joined = (await join(engine, roomId))!
          const his = await say(engine, roomId, 'secret of mine', bob)
          const reply = await say(engine, roomId, 'an answer', alice, {
            'm.relates_to': { rel_type: 'm.thread', event_id: his },
          })
          const reaction = await sendEvent(engine, {
            roomId,
            type: 'm.reaction',
            sender: bob,
            content: { 'm.relates_to': { rel_type: 'm.annotation', event_id: reply, key: '👍' } },
          })
          const quoting = await say(engine, roomId, `she wrote "sender":"${bob}"`)
          state = await sendEvent(engine, {
            roomId,
            type: 'm.room.topic',
            sender: bob,
            stateKey: '',
            content: { topic: 'of the room' },
          })
          bobs = [joined, his, reaction]
          const { id } = await jobs.start('erase_user', bob)
          await jobs.idle()
          const job = (await findJob(engine.db, id))!
          assert.deepEqual([job.error, job.progress['events']], ['', 3])
          assert.deepEqual(await contentOf(engine, his), {})
          assert.deepEqual(await contentOf(engine, joined), { membership: 'join' })
          assert.deepEqual(await contentOf(engine, reaction), {})
          assert.notDeepEqual(await contentOf(engine, quoting), {})
          assert.deepEqual(await contentOf(engine, state), { topic: 'of the room' })
          const member = await engine.queue.serial(roomId, async () =>
            readCurrentState(engine, (await findHead(engine, roomId))!, 'm.room.member', bob),
          )
          assert.deepEqual(member?.stored.content, { membership: 'join' })
          const relations = await engine.db.query('SELECT event_nid FROM relations WHERE sender = ?', [bob])
          assert.deepEqual(relations, [])
          const ring = engine.log.ring.since(engine.log.ring.floor())
          assert.doesNotMatch(JSON.stringify(ring), /secret of mine|Builder/)
          assert.equal((ring.at(-1) as LogEntry).kind, 'erasure')
        }
        await using reopened = await openJobs(target.config)
        await verifyAll(reopened.engine, version, bobs)
        await say(reopened.engine, roomId, 'life goes on')
      }
    })

    it('redacts what somebody said in one room, as somebody who may', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs, jobs } = fixture
      const [roomId, elsewhere] = [await newRoom(engine), await newRoom(engine)]
      await join(engine, roomId)
      await join(engine, elsewhere)
      const spam: EventId[] = []
      for (let i = 0; i < 5; i++) spam.push(await say(engine, roomId, `spam ${i}`, bob))
      const other = await say(engine, elsewhere, 'fine', bob)
      const mine = await say(engine, roomId, 'mine')
      const job = await redactUserIn(hs, { roomId, userId: bob, by: alice, reason: 'spam' })
      await jobs.idle()
      assert.deepEqual((await findJob(engine.db, job.id))!.progress['redacted'], 5)
      for (const eventId of spam) assert.deepEqual(await contentOf(engine, eventId), {})
      assert.notDeepEqual(await contentOf(engine, other), {})
      assert.notDeepEqual(await contentOf(engine, mine), {})
      const refused = await redactUserIn(hs, { roomId, userId: alice, by: bob })
      await jobs.idle()
      assert.match((await findJob(engine.db, refused.id))!.error, /only remove your own/)
      assert.notDeepEqual(await contentOf(engine, mine), {})
      const stranger = '@stranger:test' as typeof bob
      await assert.rejects(redactUserIn(hs, { roomId, userId: bob, by: stranger }), /who is in the room/)
    })

    it('collects state that no event refers to, while the room is written to', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs, jobs } = fixture
      const roomId = await newRoom(engine)
      for (let i = 0; i < 20; i++) await changeTopic(engine, roomId, `topic ${i}`)
      const { roomNid } = (await findRoom(engine, roomId))!
      // As retention would: old events go, and with them the only references to old state.
      const sql =
        'DELETE FROM events WHERE room_nid = ? AND nid < (SELECT max(nid) FROM events WHERE room_nid = ?)'
      await engine.db.commit({ entries: [], steps: [{ sql, params: [roomNid, roomNid] }] })
      const writing = Promise.all(
        Array.from({ length: 20 }, (_, i) => changeTopic(engine, roomId, `later ${i}`)),
      )
      const { id } = await collectRoomState(hs, roomId)
      await Promise.all([writing, jobs.idle()])
      const job = (await findJob(engine.db, id))!
      assert.equal(job.error, '')
      assert.ok(Number(job.progress['deleted']) > 10, JSON.stringify(job))
      const again = await collectRoomState(hs, roomId)
      await jobs.idle()
      assert.equal((await findJob(engine.db, again.id))!.error, '')
      await changeTopic(engine, roomId, 'the last')
      await say(engine, roomId, 'all is well')
    })
  })
}

const changeTopic = (engine: RoomEngine, roomId: RoomId, topic: string) =>
  sendEvent(engine, { roomId, type: 'm.room.topic', sender: alice, stateKey: '', content: { topic } })

async function verifyAll(engine: RoomEngine, version: string, eventIds: readonly EventId[]): Promise<void> {
  const publicKey = publicKeyOf({ keyId: 'ed25519:t' as never, seed: new Uint8Array(32).fill(7) })
  const rows = await findEventRows(engine.db, eventIds)
  assert.equal(rows.length, eventIds.length)
  for (const row of rows) {
    assert.notEqual(row.flags & EventFlag.redacted, 0)
    const { outcome } = verifyEvent(findRoomVersion(version)!, pduOfRow(row), {
      sha256,
      verify: verifySignature,
      findKey: () => ({ publicKey, validUntilTs: Number.MAX_SAFE_INTEGER }),
    })
    // The content hash is that of what is gone; id and signatures hold.
    assert.equal(outcome, 'redacted')
  }
}
