import assert from 'node:assert/strict'
import { createPublicKey, createPrivateKey, verify } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { CommitResult } from '../database.ts'
import type { OpenDatabase } from '../open.ts'
import {
  accepted,
  entry,
  head,
  note,
  NOTES,
  NOTES_KEPT,
  NOTES_REPLACED,
  one,
  room,
  thing,
  THINGS,
} from './fixture.ts'
import type { SuiteTarget } from './fixture.ts'

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** What every driver's `commit` must do. */
export function commitSuite(target: SuiteTarget): void {
  describe(`${target.name}: commit`, () => {
    let db: OpenDatabase
    let cleanUp: () => Promise<void>
    const committed: number[] = []
    let nextRoom = 100

    before(async () => {
      const created = await target.create({
        onCommit: (_write, result) => committed.push(...result.positions),
      })
      db = created.db
      cleanUp = created.cleanUp
    })
    after(async () => {
      await db[Symbol.asyncDispose]()
      await cleanUp()
    })

    const newRoom = async (version = 0): Promise<number> => {
      await accepted(db, room(++nextRoom, version))
      return nextRoom
    }
    const position = async (): Promise<number> =>
      Number((await one(db, 'SELECT position FROM log_state'))['position'])

    it('gives a write its positions in order, stores them, and fills in the entries', async () => {
      const before = await position()
      const write = { ...thing('ordered'), entries: [entry(), entry()] }
      const result = await accepted(db, write)
      assert.deepEqual(result.positions, [before + 1, before + 2])
      assert.deepEqual(
        write.entries.map((each) => [each.position, each.event.nid]),
        [
          [before + 1, before + 1],
          [before + 2, before + 2],
        ],
      )
      assert.equal((await one(db, `SELECT nid FROM things WHERE name = 'ordered'`))['nid'], before + 1)
      assert.equal(await position(), before + 2)
    })

    it('hands out decreasing numbers for what came late', async () => {
      const insert = { into: THINGS, values: [{ historical: 1 }, 'late', null, null] } as const
      const result = await accepted(db, { entries: [], historical: 2, steps: [insert] })
      const [first, second] = result.historical
      assert.equal(second, first! - 1)
      assert.ok(first! < 0)
      assert.equal((await one(db, `SELECT nid FROM things WHERE name = 'late'`))['nid'], second)
      const next = await accepted(db, { entries: [], historical: 1, steps: [] })
      assert.deepEqual(next.historical, [second! - 1])
    })

    it('commits 1,000 concurrent writes without a gap, announced in order before they are answered', async () => {
      const start = await position()
      committed.length = 0
      const results = await Promise.all(
        Array.from({ length: 1000 }, async (_, index) => {
          const result = await accepted(db, thing(`many ${index}`))
          assert.ok(committed.includes(result.positions[0]!), 'announced before it was answered')
          return result.positions[0]!
        }),
      )
      const expected = Array.from({ length: 1000 }, (_, index) => start + 1 + index)
      assert.deepEqual(results, expected)
      assert.deepEqual(committed, expected)
      const row = await one(
        db,
        `SELECT COUNT(*) AS n, MIN(nid) AS low, MAX(nid) AS high FROM things WHERE nid > ${start}`,
      )
      assert.deepEqual(row, { n: 1000, low: start + 1, high: start + 1000 })
    })

    it('refuses a taken unique key, names the step, and leaves no gap and no trace of the write', async () => {
      const start = await position()
      const results = await Promise.all([
        db.commit(thing('taken')),
        db.commit(
          thing('untouched', {
            steps: [
              { into: NOTES, values: ['refused', 'n', 1] },
              { into: THINGS, values: [77_777_777, 'taken', null, null] },
            ],
          }),
        ),
        db.commit(thing('after')),
      ])
      assert.deepEqual(results[1], { ok: false, step: 2, reason: 'conflict' })
      assert.deepEqual(
        results.map((result) => result.ok && result.positions),
        [[start + 1], false, [start + 2]],
      )
      assert.deepEqual(await db.query(`SELECT * FROM notes WHERE owner = 'refused'`, []), [])
      assert.deepEqual(await db.query(`SELECT nid FROM things WHERE name = 'untouched'`, []), [])
      assert.equal(await position(), start + 2)
      assert.deepEqual(await db.commit(thing('taken')), { ok: false, step: 0, reason: 'conflict' })
      assert.equal(await position(), start + 2)
    })

    it('refuses when a statement changes or returns another number of rows than expected', async () => {
      await accepted(db, note(NOTES, 'counted', 1))
      const update = { sql: `UPDATE notes SET amount = 2 WHERE owner = ?`, params: ['nobody'], expectRows: 1 }
      const select = { sql: `SELECT 1 AS one FROM notes WHERE owner = ?`, params: ['nobody'], expectRows: 1 }
      const refused: CommitResult = { ok: false, step: 1, reason: 'precondition' }
      assert.deepEqual(await db.commit(thing('counted 1', { steps: [update] })), refused)
      assert.deepEqual(await db.commit(thing('counted 2', { steps: [select] })), refused)
      assert.deepEqual(await db.query(`SELECT nid FROM things WHERE name LIKE 'counted%'`, []), [])
      const none = { ...select, expectRows: 0 }
      await accepted(
        db,
        thing('counted 3', {
          steps: [none, { ...update, params: ['counted'] }, { ...select, params: ['counted'] }],
        }),
      )
      assert.equal((await one(db, `SELECT amount FROM notes WHERE owner = 'counted'`))['amount'], 2)
    })

    it('keeps accepted writes in order around refused ones in one batch', async () => {
      const start = await position()
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          db.commit(thing(index % 3 === 1 ? 'around 0' : `around ${index}`)),
        ),
      )
      const numbers = results.flatMap((result) => (result.ok ? [...result.positions] : []))
      assert.deepEqual(
        numbers,
        Array.from({ length: 40 }, (_, index) => start + 1 + index),
      )
      const rows = await db.query(`SELECT name FROM things WHERE nid > ? ORDER BY nid`, [start])
      const names = Array.from({ length: 60 }, (_, index) => index).filter((index) => index % 3 !== 1)
      assert.deepEqual(
        rows.map((row) => row['name']),
        names.map((index) => `around ${index}`),
      )
    })

    it('fails a faulty statement alone, with its error', async () => {
      const results = await Promise.allSettled([
        db.commit(thing('healthy 1')),
        db.commit(thing('faulty', { steps: [{ sql: 'UPDATE no_such_table SET a = 1', params: [] }] })),
        db.commit(thing('healthy 2')),
        db.commit({
          entries: [entry()],
          steps: [
            { sql: 'INSERT INTO notes (owner, amount, note) VALUES (?, ?, ?)', params: [null, 1, 'x'] },
          ],
        }),
      ])
      assert.deepEqual(
        results.map((result) => result.status),
        ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
      )
      assert.match(String((results[1] as PromiseRejectedResult).reason), /no_such_table/)
      assert.deepEqual(await db.query(`SELECT nid FROM things WHERE name = 'faulty'`, []), [])
    })

    it('advances a head from the version it expects, and refuses a stale one', async () => {
      const nid = await newRoom(3)
      assert.equal((await db.commit(thing(`head ${nid}`, head(nid, 3)))).ok, true)
      const refused: CommitResult = { ok: false, step: -1, reason: 'precondition' }
      assert.deepEqual(await db.commit(thing(`stale ${nid}`, head(nid, 3))), refused)
      assert.deepEqual(await db.commit(thing(`no room ${nid}`, head(999_999, 0))), refused)
      assert.deepEqual(await one(db, `SELECT version, head FROM rooms WHERE nid = ${nid}`), {
        version: 4,
        head: '{"v":4}',
      })
      assert.deepEqual(await db.query(`SELECT name FROM things WHERE name = 'stale ${nid}'`, []), [])
    })

    it('coalesces a chain of heads of one room, in one batch or many', async () => {
      const nid = await newRoom()
      const results = await Promise.all(
        Array.from({ length: 700 }, (_, version) =>
          db.commit(thing(`chain ${nid} ${version}`, head(nid, version))),
        ),
      )
      assert.ok(results.every((result) => result.ok))
      assert.deepEqual(await one(db, `SELECT version, head FROM rooms WHERE nid = ${nid}`), {
        version: 700,
        head: '{"v":700}',
      })
    })

    it('refuses the second of two writes that expect the same version', async () => {
      const nid = await newRoom()
      const results = await Promise.all([
        db.commit(thing(`twin a ${nid}`, head(nid, 0))),
        db.commit(thing(`twin b ${nid}`, head(nid, 0))),
        db.commit(thing(`twin c ${nid}`, head(nid, 1))),
      ])
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, false, true],
      )
      assert.equal((await one(db, `SELECT version FROM rooms WHERE nid = ${nid}`))['version'], 2)
    })

    it('refuses what builds on a refused write of the same room, and nothing of other rooms', async () => {
      const [nid, other] = [await newRoom(), await newRoom()]
      await accepted(db, thing(`dup ${nid}`))
      const results = await Promise.all([
        db.commit(thing(`base ${nid}`, head(nid, 0))),
        db.commit(thing(`dup ${nid}`, head(nid, 1))),
        db.commit(thing(`on refused ${nid}`, head(nid, 2))),
        db.commit(thing(`other ${nid}`, head(other, 0))),
        db.commit(thing(`retry ${nid}`, head(nid, 1))),
        db.commit(thing(`on retry ${nid}`, head(nid, 2))),
      ])
      assert.deepEqual(
        results.map((result) => (result.ok ? 'ok' : `${result.step} ${result.reason}`)),
        ['ok', '0 conflict', '-1 precondition', 'ok', 'ok', 'ok'],
      )
      assert.equal((await one(db, `SELECT version FROM rooms WHERE nid = ${nid}`))['version'], 3)
      assert.equal((await one(db, `SELECT version FROM rooms WHERE nid = ${other}`))['version'], 1)
      assert.equal((await db.commit(thing(`later ${nid}`, head(nid, 3)))).ok, true)
    })

    it('takes the heads of several rooms together or not at all', async () => {
      const [nid, other] = [await newRoom(), await newRoom()]
      const both = (a: number, b: number) => ({ heads: [...head(nid, a).heads!, ...head(other, b).heads!] })
      const results = await Promise.all([
        db.commit(thing(`pair 1 ${nid}`, both(0, 0))),
        db.commit(thing(`pair 2 ${nid}`, both(1, 0))),
        db.commit(thing(`pair 3 ${nid}`, both(1, 1))),
      ])
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, false, true],
      )
      const rows = await db.query('SELECT version FROM rooms WHERE nid IN (?int[])', [[nid, other]])
      assert.deepEqual(rows, [{ version: 2 }, { version: 2 }])
    })

    it('notices that a room was changed by a statement behind its head', async () => {
      const nid = await newRoom()
      await accepted(db, thing(`known ${nid}`, head(nid, 0)))
      await accepted(db, {
        entries: [],
        steps: [{ sql: 'DELETE FROM rooms WHERE nid = ?', params: [nid], expectRows: 1 }],
      })
      assert.equal((await db.commit(thing(`gone ${nid}`, head(nid, 1)))).ok, false)
      await accepted(db, room(nid, 8))
      assert.equal((await db.commit(thing(`back ${nid}`, head(nid, 8)))).ok, true)
      const row = await one(db, `SELECT version FROM rooms WHERE nid = ${nid}`)
      assert.equal(row['version'], 9)
    })

    it('returns the rows of RETURNING and SELECT by step', async () => {
      const result = await accepted(
        db,
        thing('returning', {
          steps: [
            {
              sql: 'INSERT INTO notes VALUES (?, ?, ?) RETURNING owner, amount',
              params: ['ret\u0000urned', 'n', 5],
              returning: true,
            },
            {
              sql: 'SELECT name, nid FROM things WHERE nid = ?',
              params: [{ position: 0 }],
              returning: true,
              expectRows: 1,
            },
            { sql: 'SELECT 1 AS unseen', params: [] },
          ],
        }),
      )
      assert.deepEqual([...result.rows.keys()], [1, 2])
      assert.deepEqual(result.rows.get(1), [{ owner: 'ret\u0000urned', amount: 5 }])
      assert.deepEqual(result.rows.get(2), [{ name: 'returning', nid: result.positions[0] }])
    })

    it('claims a row for one of many at once', async () => {
      await Promise.all(
        Array.from({ length: 5 }, (_, key) =>
          accepted(db, { entries: [], steps: [{ into: NOTES, values: ['claim', `k${key}`, 0] }] }),
        ),
      )
      const sql = `DELETE FROM notes WHERE owner = 'claim' AND note = (SELECT MIN(note) FROM notes WHERE owner = 'claim') RETURNING note`
      const results = await Promise.all(
        Array.from({ length: 7 }, () =>
          db.commit({ entries: [], steps: [{ sql, params: [], returning: true, expectRows: 1 }] }),
        ),
      )
      const claimed = results.flatMap((result) => (result.ok ? [result.rows.get(0)?.[0]?.['note']] : []))
      assert.deepEqual(claimed, ['k0', 'k1', 'k2', 'k3', 'k4'])
    })

    it('keeps the last of equal keys for replace and the first for ignore, also within a batch', async () => {
      await Promise.all([1, 2, 3].map((amount) => accepted(db, note(NOTES_REPLACED, 'replaced', amount))))
      await Promise.all([1, 2, 3].map((amount) => accepted(db, note(NOTES_KEPT, 'kept', amount))))
      await accepted(db, note(NOTES_REPLACED, 'replaced', 4))
      await accepted(db, note(NOTES_KEPT, 'kept', 4))
      const rows = await db.query(`SELECT owner, amount FROM notes WHERE owner IN (?text[]) ORDER BY owner`, [
        ['replaced', 'kept'],
      ])
      assert.deepEqual(rows, [
        { owner: 'kept', amount: 1 },
        { owner: 'replaced', amount: 4 },
      ])
    })

    it('applies inserts and statements on one table in the order of the writes', async () => {
      const remove = {
        entries: [],
        steps: [{ sql: `DELETE FROM notes WHERE owner = 'sequence'`, params: [] }],
      }
      await Promise.all(
        [
          note(NOTES, 'sequence', 1),
          remove,
          note(NOTES, 'sequence', 2),
          remove,
          note(NOTES, 'sequence', 3),
        ].map((write) => accepted(db, write)),
      )
      assert.deepEqual(await db.query(`SELECT amount FROM notes WHERE owner = 'sequence'`, []), [
        { amount: 3 },
      ])
    })

    it('signs a PDU over its redacted form and stores it with the signature in place', async () => {
      const signed = '{"content":{},"type":"m.room.message"}'
      const pdu = { head: '{"content":{"body":"é \\u0000"},', tail: '"type":"m.room.message"}', signed }
      const { positions } = await accepted(db, {
        entries: [entry()],
        steps: [{ into: THINGS, values: [{ position: 0 }, 'pdu', null, pdu] }],
      })
      const [row] = await db.query('SELECT data FROM things WHERE nid = ?', [positions[0]!])
      const text = Buffer.from(row!['data'] as Uint8Array).toString()
      const signature =
        /^\{"content":\{"body":"é \\u0000"\},"signatures":\{"example\.org":\{"ed25519:suite":"([A-Za-z0-9+/]{86})"\}\},"type":"m\.room\.message"\}$/.exec(
          text,
        )?.[1]
      assert.ok(signature !== undefined, text)
      const key = createPrivateKey({
        key: Buffer.concat([PKCS8, Buffer.alloc(32, 7)]),
        format: 'der',
        type: 'pkcs8',
      })
      assert.ok(verify(null, Buffer.from(signed), createPublicKey(key), Buffer.from(signature, 'base64')))
    })

    it('shows an answered write to the next read', async () => {
      for (let index = 0; index < 50; index++) {
        await accepted(db, thing(`own ${index}`))
        assert.equal((await db.query('SELECT nid FROM things WHERE name = ?', [`own ${index}`])).length, 1)
        assert.equal(
          (await db.queryLarge('SELECT nid FROM things WHERE name = ?', [`own ${index}`])).length,
          1,
        )
      }
    })
  })
}
