import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ReadParam, Row, WriteValue } from '../database.ts'
import type { OpenDatabase } from '../open.ts'
import { accepted, entry, NOTES, THINGS } from './fixture.ts'
import type { SuiteTarget } from './fixture.ts'

const BIG = Number.MAX_SAFE_INTEGER

/** What every driver must keep and give back unchanged, or refuse. */
export function valueSuite(target: SuiteTarget): void {
  describe(`${target.name}: values`, () => {
    let db: OpenDatabase
    let cleanUp: () => Promise<void>
    before(async () => {
      const created = await target.create()
      db = created.db
      cleanUp = created.cleanUp
    })
    after(async () => {
      await db[Symbol.asyncDispose]()
      await cleanUp()
    })

    const put = (name: string, amount: WriteValue, data: WriteValue) =>
      db.commit({
        entries: [entry()],
        steps: [{ into: THINGS, values: [{ position: 0 }, name, amount, data] }],
      })

    it('keeps text with NUL, the escape itself and astral characters apart, and finds it again', async () => {
      const names = [
        'a\u0000b',
        'a\u0001b',
        'a\u00010b',
        'a\u00011b',
        'a0b',
        '\u0000',
        '\u0001',
        '',
        '\u{1F600}',
        '\uFFFD',
        '"\\{},NULL',
        'NULL',
        '\u007f\t\n',
      ]
      await Promise.all(names.map((name) => put(name, null, null)))
      for (const name of names) {
        const rows = await db.query('SELECT name FROM things WHERE name = ?', [name])
        assert.deepEqual(rows, [{ name }])
      }
      const listed = await db.queryLarge('SELECT name FROM things WHERE name IN (?text[]) ORDER BY nid', [
        names,
      ])
      assert.deepEqual(
        listed,
        names.map((name) => ({ name })),
      )
      const others = await db.query('SELECT name FROM things WHERE name NOT IN (?text[])', [names.slice(1)])
      assert.deepEqual(others, [{ name: names[0] }])
    })

    it('orders text by code point, not by language', async () => {
      const owners = ['B', 'a', 'é', 'b', 'A', '\u{10000}', '\uFFFD', 'a\u0000', 'a\u0001', 'a ']
      await Promise.all(
        owners.map((owner) =>
          db.commit({ entries: [], steps: [{ into: NOTES, values: [owner, 'order', 1] }] }),
        ),
      )
      const rows = await db.query(`SELECT owner FROM notes WHERE note = 'order' ORDER BY owner`, [])
      const expected = owners.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      assert.deepEqual(
        rows.map((row) => row['owner']),
        expected,
      )
    })

    it('refuses a lone surrogate, which would be stored as something else', async () => {
      await assert.rejects(put('\ud800', null, null), /lone surrogate/)
      await assert.rejects(db.query('SELECT 1 FROM things WHERE name = ?', ['\udc00']), /lone surrogate/)
    })

    it('refuses undefined, booleans, dates and fractions instead of binding NULL', async () => {
      for (const bad of [
        undefined,
        true,
        new Date(0),
        1.5,
        NaN,
        2 ** 53,
        1n,
        [1],
      ] as unknown as WriteValue[]) {
        await assert.rejects(put(`bad ${typeof bad}`, bad, null), TypeError)
        await assert.rejects(db.query('SELECT 1 FROM things WHERE amount = ?', [bad as number]), TypeError)
      }
      await assert.rejects(put('wrong column', 'text', null), /things\.amount is int/)
      await assert.rejects(
        db.commit({ entries: [], steps: [{ into: NOTES, values: ['short'] }] }),
        /3 columns/,
      )
      await assert.rejects(
        db.commit({ entries: [], steps: [{ into: THINGS, values: [{ position: 0 }, 'x', null, null] }] }),
        /takes 0/,
      )
      await assert.rejects(
        db.query('SELECT 1 FROM things WHERE amount = ? AND name = ?', [1]),
        /2 parameters/,
      )
    })

    it('gives integers up to 2^53 - 1 back as they were, and never a wrong one beyond', async () => {
      await put('biggest', BIG, null)
      await put('smallest', -BIG, null)
      const rows = await db.query(
        'SELECT name, amount FROM things WHERE amount IN (?int[]) ORDER BY amount',
        [[BIG, -BIG]],
      )
      assert.deepEqual(rows, [
        { name: 'smallest', amount: -BIG },
        { name: 'biggest', amount: BIG },
      ])
      await assert.rejects(
        db.query('SELECT amount + 1 AS over FROM things WHERE amount = ?', [BIG]),
        RangeError,
      )
      assert.deepEqual(await db.query('SELECT COUNT(*) AS n FROM things WHERE amount = ?', [BIG]), [{ n: 1 }])
    })

    it('answers reads that are asked for together as if each were alone', async () => {
      const bytes = [new Uint8Array([0, 255]), new Uint8Array(), new Uint8Array([92, 34])]
      const names = ['t"\\{},', 'tNULL', 't\u0000', 't']
      for (const [index, name] of names.entries()) await put(name, index, bytes[index] ?? null)
      const many = <P extends readonly ReadParam[]>(sql: string, params: readonly P[]): Promise<Row[][]> =>
        Promise.all(params.map((each) => db.query(sql, each)))
      assert.deepEqual(
        await many(
          'SELECT amount FROM things WHERE name = ?',
          names.map((name) => [name]),
        ),
        names.map((_, index) => [{ amount: index }]),
      )
      assert.deepEqual(
        await many(
          'SELECT name, data FROM things WHERE data = ? AND name >= ?',
          bytes.map((data) => [data, 't']),
        ),
        bytes.map((data, index) => [{ name: names[index], data }]),
      )
      const listed = await many(
        'SELECT name FROM things WHERE name IN (?text[]) AND amount IN (?int[]) ORDER BY name DESC LIMIT ?',
        [
          [names, [0, 1, 2, 3], 2],
          [names, [0, 1, 2, 3], 3],
          [names, [], 3],
          [[], [1], 3],
          [names.slice(1), [1, 3], 3],
        ],
      )
      const sorted = names.toSorted().toReversed()
      assert.deepEqual(
        listed.map((rows) => rows.map(({ name }) => name)),
        [sorted.slice(0, 2), sorted.slice(0, 3), [], [], ['tNULL', 't']],
      )
      const counts = 'SELECT count(*) AS n, max(amount) AS most FROM things WHERE name = ? AND amount >= ?'
      assert.deepEqual(
        await many(counts, [
          ['t', 1],
          ['t', null],
          ['t', 4],
        ]),
        [[{ n: 1, most: 3 }], [{ n: 0, most: null }], [{ n: 0, most: null }]],
      )
    })

    it('fails a read that is wrong, and not those beside it', async () => {
      const over = 'SELECT amount + ? AS over FROM things WHERE amount = ?'
      await put('beside', BIG - 2, null)
      const [wrong, right] = await Promise.allSettled([
        db.query(over, [3, BIG - 2]),
        db.query(over, [1, BIG - 2]),
      ])
      assert.equal(wrong.status === 'rejected' && wrong.reason instanceof RangeError, true)
      assert.deepEqual(right.status === 'fulfilled' && right.value, [{ over: BIG - 1 }])
    })

    it('counts with integers, in reads and in statements', async () => {
      await put('seven', 7, null)
      const [row] = await db.query(`SELECT amount / ? AS half FROM things WHERE name = 'seven'`, [2])
      assert.deepEqual(row, { half: 3 })
      const step = {
        sql: `UPDATE things SET amount = amount / ? WHERE name = 'seven' RETURNING amount`,
        params: [2],
        returning: true,
      }
      const { rows } = await accepted(db, { entries: [], steps: [step] })
      assert.deepEqual(rows.get(0), [{ amount: 3 }])
    })

    it('keeps bytes, empty and large, also those inside a larger buffer', async () => {
      const large = new Uint8Array(8 * 1024 * 1024).map((_, index) => index * 31)
      const inside = new Uint8Array([9, 0, 92, 34, 255, 9]).subarray(1, 5)
      await Promise.all([
        put('large', null, large),
        put('empty', null, new Uint8Array()),
        put('inside', null, inside),
      ])
      const bytes = async (name: string) =>
        (await db.query('SELECT data FROM things WHERE name = ?', [name]))[0]!['data'] as Uint8Array
      assert.equal(Buffer.compare(await bytes('large'), large), 0)
      assert.deepEqual(await bytes('empty'), new Uint8Array())
      assert.deepEqual([...(await bytes('inside'))], [0, 92, 34, 255])
      const found = await db.query('SELECT name FROM things WHERE data = ?', [inside])
      assert.deepEqual(found, [{ name: 'inside' }])
    })

    it('takes empty and long lists, and refuses lists of something else', async () => {
      assert.deepEqual(await db.query('SELECT name FROM things WHERE nid IN (?int[])', [[]]), [])
      assert.deepEqual(await db.query('SELECT name FROM things WHERE name IN (?text[])', [[]]), [])
      const many = Array.from({ length: 20_000 }, (_, index) => index - 10_000)
      const [row] = await db.queryLarge('SELECT COUNT(*) AS n FROM things WHERE nid IN (?int[])', [many])
      assert.ok(Number(row!['n']) > 5)
      await assert.rejects(db.query('SELECT name FROM things WHERE nid IN (?int[])', [['1']]), TypeError)
      await assert.rejects(db.query('SELECT name FROM things WHERE nid IN (?int[])', ['1']), TypeError)
      await assert.rejects(db.query('SELECT name FROM things WHERE nid = ?', [[1]]), TypeError)
      await assert.rejects(db.query('SELECT name FROM things WHERE nid = ?int[]', [[1]]), /stands only in/)
    })

    it('leaves question marks in literals and comments alone', async () => {
      const rows = await db.query(`SELECT '?' AS "a?", ? AS b -- what?\n FROM log_state /* ? */`, ['x'])
      assert.deepEqual(rows, [{ 'a?': '?', b: 'x' }])
    })

    it('reads 20,000 rows without holding up the caller, several reads at once', async () => {
      const write = Array.from({ length: 20 }, (_, part) => ({
        entries: [],
        steps: Array.from({ length: 1000 }, (__, index) => ({
          into: NOTES,
          values: ['large', `${part * 1000 + index}`, index],
        })),
      }))
      await Promise.all(write.map((each) => accepted(db, each)))
      const read = () =>
        db.queryLarge(`SELECT note, amount FROM notes WHERE owner = 'large' ORDER BY note`, [])
      const [rows, again] = await Promise.all([read(), read()])
      assert.equal(rows.length, 20_000)
      assert.equal(new Set(rows.map((row) => row['note'])).size, 20_000)
      assert.deepEqual(again, rows)
      await assert.rejects(db.queryLarge('SELECT note FROM nowhere', []), /nowhere/)
    })
  })
}
