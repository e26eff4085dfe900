import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { fillTables, findLeftovers, type Subject } from '@causeway/store/erasure/fill-suite.ts'
import type { TableErasure } from '@causeway/store/erasure/rules.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { insertAlias, listAliases } from '@causeway/store/tables/aliases.ts'
import { findJob, insertJob, saveJobProgress } from '@causeway/store/tables/jobs.ts'
import { findRoom, getRoomByNid } from '../rooms/load-head.ts'
import { changeMembership } from '../rooms/membership.ts'
import { findEvent } from '../rooms/read-events.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { alice, bob, newRoom, openJobs, say } from './jobs-suite.ts'
import { purgeRoom } from './purge-room.ts'

const OF_ROOM = ['room_nid', 'room_id', 'event_nid', 'event_id'] as const
const isPurged = (table: string, _column: string, { purge }: TableErasure): boolean =>
  purge !== undefined && purge.do !== 'keep' && table !== 'jobs'

async function subjectOf(engine: RoomEngine, roomId: RoomId): Promise<Subject> {
  const { roomNid } = (await findRoom(engine, roomId))!
  const rows = await engine.db.query<{ nid: number; event_id: string }>(
    'SELECT nid, event_id FROM events WHERE room_nid = ?',
    [roomNid],
  )
  const eventIds = new Map(rows.map((row) => [row.nid, row.event_id]))
  return { roomNid, roomId, userId: bob, eventNids: [...eventIds.keys()], eventIds }
}

const join = (engine: RoomEngine, roomId: RoomId, action: 'join' | 'leave' = 'join') =>
  changeMembership(engine, { roomId, action, sender: bob, target: bob })

for (const driver of await findTestDrivers()) {
  describe(`purging a room on ${driver.name}`, { skip: driver.skip }, () => {
    it('is refused while people of this server are in it', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs } = fixture
      const roomId = await newRoom(engine)
      await assert.rejects(purgeRoom(hs, roomId, { force: false }), /One user of this server is in the room/)
      await assert.rejects(purgeRoom(hs, '!none' as RoomId, { force: true }), /does not know the room/)
      await say(engine, roomId, 'still here')
    })

    it('has them leave, deletes all of it in memory and in every table, and leaves other rooms alone', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs, jobs } = fixture
      const roomId = await newRoom(engine)
      const kept = await newRoom(engine, { name: 'Another', invite: [bob] })
      await join(engine, roomId)
      const said = await say(engine, roomId, 'to be gone')
      for (let i = 0; i < 30; i++) await say(engine, roomId, `message ${i}`, bob)
      await engine.db.commit({ entries: [], steps: [insertAlias('#gone:test', roomId, alice)] })
      const gone = await subjectOf(engine, roomId)
      await fillTables(engine.db, { ...gone, userId: '@filler:test' })
      const other = await subjectOf(engine, kept)
      const before = await findLeftovers(engine.db, other, OF_ROOM)
      const { id } = await purgeRoom(hs, roomId, { force: true })
      await jobs.idle()
      const job = (await findJob(engine.db, id))!
      assert.deepEqual([job.error, job.progress['left']], ['', 2])
      assert.ok(job.finishedTs > 0)
      assert.ok(Number(job.progress['rows']) > gone.eventNids.length)
      assert.deepEqual(await findLeftovers(engine.db, gone, OF_ROOM, isPurged), {})
      assert.deepEqual(await findLeftovers(engine.db, other, OF_ROOM), before)
      assert.equal(await findRoom(engine, roomId), undefined)
      assert.equal(await findEvent(engine, said), undefined)
      assert.equal((await engine.members.roomsOf(bob)).byId.get(roomId), undefined)
      assert.equal((await engine.members.roomsOf(bob)).byId.get(kept)?.membership, 'invite')
      assert.deepEqual(await listAliases(engine.db, roomId), [])
      const ring = engine.log.ring.since(engine.log.ring.floor())
      assert.ok(ring !== 'fell-behind')
      const kinds = ring.flatMap((entry) =>
        'roomId' in entry && entry.roomId === roomId ? [entry.kind] : [],
      )
      assert.deepEqual(kinds, ['purge'])
      await assert.rejects(say(engine, roomId, 'hello?'), /does not know the room/)
      await assert.rejects(getRoomByNid(engine, gone.roomNid), /missing/)
      await say(engine, kept, 'goes on')
    })

    it('does not begin to delete when somebody came in before it could', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, jobs } = fixture
      const roomId = await newRoom(engine)
      // As if it had been asked for while nobody was in the room.
      const { id } = await jobs.start('purge_room', roomId, { force: false })
      await jobs.idle()
      assert.match((await findJob(engine.db, id))!.error, /has come into the room/)
      await say(engine, roomId, 'still here')
    })

    it('wins or loses as a whole against messages sent at the same moment', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs, jobs } = fixture
      const roomId = await newRoom(engine)
      const gone = await subjectOf(engine, roomId)
      const sends = Array.from({ length: 60 }, (_, i) => say(engine, roomId, `m${i}`))
      await purgeRoom(hs, roomId, { force: true })
      const more = Array.from({ length: 60 }, (_, i) => say(engine, roomId, `n${i}`))
      const results = await Promise.allSettled([...sends, ...more])
      await jobs.idle()
      const ids = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      assert.ok(ids.length >= 60)
      for (const eventId of ids) assert.equal(await findEvent(engine, eventId), undefined)
      const rows = await engine.db.query('SELECT nid FROM events WHERE room_nid = ?', [gone.roomNid])
      assert.deepEqual(rows, [])
    })

    it('never deletes rows of a room that is in use, whatever it finds written about itself', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, jobs } = fixture
      const roomId = await newRoom(engine)
      const message = await say(engine, roomId, 'mine')
      const { roomNid } = (await findRoom(engine, roomId))!
      const written = async (phase: string): Promise<string> => {
        const id = `job-${phase}`
        const row = { id, kind: 'purge_room', subject: `!old-${phase}`, input: {}, createdTs: 1 }
        const progress = saveJobProgress(id, { phase, roomNid, table: '' }, 1)
        await engine.db.commit({ entries: [], steps: [insertJob(row), progress] })
        jobs.wake()
        await jobs.idle()
        return (await findJob(engine.db, id))!.finishedTs === 0 ? 'open' : 'finished'
      }
      // The last write of a purge came through, and then the number was given to this room.
      assert.equal(await written('deleted'), 'finished')
      assert.equal(await written('deleting'), 'open')
      assert.equal((await findEvent(engine, message))?.content['body'], 'mine')
      const rows = await engine.db.query('SELECT nid FROM events WHERE room_nid = ?', [roomNid])
      assert.ok(rows.length > 5)
    })

    it('two at once are one job', async () => {
      await using target = await driver.create()
      await using fixture = await openJobs(target.config)
      const { engine, hs, jobs } = fixture
      const roomId = await newRoom(engine)
      const [a, b] = await Promise.all([
        purgeRoom(hs, roomId, { force: true }),
        purgeRoom(hs, roomId, { force: true }),
      ])
      assert.equal(a.id, b.id)
      await jobs.idle()
      assert.equal((await findJob(engine.db, a.id))?.error, '')
    })
  })
}
