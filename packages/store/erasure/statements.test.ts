import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database, Statement } from '../db/database.ts'
import { findTestDrivers, openTestLog } from '../log/databases-suite.ts'
import { fillTables, findLeftovers, type Subject } from './fill-suite.ts'
import { cutColumnsOf, type TableErasure } from './rules.ts'
import {
  ERASE_STAGES,
  PURGE_STAGES,
  blankUser,
  cutSteps,
  erasePortion,
  purgePortion,
  redactSteps,
} from './statements.ts'

const gone: Subject = { roomNid: 1, roomId: '!gone', userId: '@u:test', eventNids: [11, 12, 13, 14, 15] }
const other: Subject = { roomNid: 2, roomId: '!other', userId: '@v:test', eventNids: [21, 22, 23] }
const ALL = ['room_nid', 'room_id', 'event_nid', 'event_id', 'user_id'] as const

/** Answers how many rows went with the last step. */
async function commit(db: Database, steps: Statement[]): Promise<number> {
  const result = await db.commit({ entries: [], steps })
  assert.ok(result.ok)
  return result.rows.get(steps.length - 1)?.length ?? 0
}

const isPurged = (_table: string, _column: string, { purge }: TableErasure): boolean =>
  purge?.do === 'delete' || purge?.do === 'delete_with'

for (const driver of await findTestDrivers()) {
  describe(`erasing on ${driver.name}`, { skip: driver.skip }, () => {
    it('portions of a purge leave nothing that names the room or its events, and others alone', async () => {
      await using target = await driver.create()
      await using opened = await openTestLog(target.config)
      const { db } = opened
      await fillTables(db, gone)
      await fillTables(db, other)
      const before = await findLeftovers(db, other, ALL)
      assert.ok(Object.keys(before).length > 50, 'the tables are filled')
      const ofRoom = ['room_nid', 'room_id', 'event_nid', 'event_id'] as const
      assert.ok(Object.keys(await findLeftovers(db, gone, ofRoom, isPurged)).length > 25)
      const limit = 2
      for (const stage of PURGE_STAGES) {
        let portions = 0
        while ((await commit(db, purgePortion(stage, gone, limit))) === limit) portions++
        if (stage.table === 'events') assert.equal(portions, 2, 'five events go two at a time')
      }
      assert.deepEqual(await findLeftovers(db, gone, ofRoom, isPurged), {})
      assert.deepEqual(await findLeftovers(db, other, ALL), before)
    })

    it('portions of an erasure leave no row that a rule lets go of, and other users alone', async () => {
      await using target = await driver.create()
      await using opened = await openTestLog(target.config)
      const { db } = opened
      await fillTables(db, gone)
      await fillTables(db, other)
      const before = await findLeftovers(db, other, ALL)
      for (const stage of ERASE_STAGES) {
        while ((await commit(db, [erasePortion(stage, gone.userId, 1)])) === 1);
      }
      await commit(db, blankUser(gone.userId))
      const goes = (_table: string, column: string, { erase }: TableErasure): boolean =>
        erase?.[column]?.do === 'delete' || erase?.[column]?.do === 'blank'
      assert.deepEqual(await findLeftovers(db, gone, ['user_id'], goes), {})
      assert.deepEqual(await findLeftovers(db, other, ALL), before)
    })

    it('cutting messages off takes them away with all that follows from them alone', async () => {
      await using target = await driver.create()
      await using opened = await openTestLog(target.config)
      const { db } = opened
      await fillTables(db, gone)
      await fillTables(db, other)
      const before = await findLeftovers(db, other, ALL)
      const cut = { ...gone, eventNids: [11, 12, 13] }
      const left = { ...gone, eventNids: [14, 15] }
      const kept = await findLeftovers(db, left, ['event_nid', 'event_id'])
      await commit(
        db,
        cutSteps(
          gone.roomNid,
          cut.eventNids.map((nid) => ({ nid, eventId: `$${nid}` })),
        ),
      )
      const goes = (_table: string, column: string, entry: TableErasure): boolean =>
        cutColumnsOf(entry).includes(column)
      assert.deepEqual(await findLeftovers(db, cut, ['event_nid', 'event_id'], goes), {})
      assert.deepEqual(await findLeftovers(db, left, ['event_nid', 'event_id']), kept)
      assert.deepEqual(await findLeftovers(db, other, ALL), before)
    })

    it('redacting an event takes with it what follows from it alone', async () => {
      await using target = await driver.create()
      await using opened = await openTestLog(target.config)
      const { db } = opened
      await fillTables(db, gone)
      await commit(db, redactSteps({ roomNid: gone.roomNid, nid: 12 }))
      const goes = (_table: string, column: string, { redact }: TableErasure): boolean =>
        redact?.[column]?.do === 'delete'
      const one = { ...gone, eventNids: [12] }
      assert.deepEqual(await findLeftovers(db, one, ['event_nid'], goes), {})
      assert.deepEqual(await findLeftovers(db, gone, ['event_nid'], goes), {
        'relations.event_nid': 4,
        'mentions.event_nid': 4,
        'media_references.event_nid': 4,
        'search_documents.event_nid': 4,
        'sticky_events.event_nid': 4,
        'delayed_events.event_nid': 4,
      })
    })
  })
}
