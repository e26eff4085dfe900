import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accepted, entry, one, thing, THINGS } from './fixture.ts'
import type { SuiteTarget } from './fixture.ts'

/** What every driver must do when it is opened, pressed, closed and opened again. */
export function lifetimeSuite(target: SuiteTarget): void {
  describe(`${target.name}: lifetime`, () => {
    it('answers everything that was handed in before it closes, and refuses what comes later', async () => {
      const { db, cleanUp } = await target.create()
      const writes = Array.from({ length: 300 }, (_, index) => db.commit(thing(`last ${index}`)))
      const closed = db[Symbol.asyncDispose]()
      await assert.rejects(db.commit(thing('too late')), /closed/)
      await closed
      assert.ok((await Promise.all(writes)).every((result) => result.ok))
      await db[Symbol.asyncDispose]()
      await cleanUp()
    })

    it(
      'goes on at the next position, with the same epoch, after it was closed',
      { skip: !target.durable && 'in memory' },
      async () => {
        const { db, again, cleanUp } = await target.create()
        await accepted(db, { ...thing('before'), entries: [entry(), entry()], historical: 3 })
        const { epoch } = db
        await db[Symbol.asyncDispose]()
        const reopened = await again()
        assert.equal(reopened.epoch, epoch)
        const result = await accepted(reopened, { ...thing('after'), historical: 1 })
        assert.deepEqual([result.positions, result.historical], [[3], [-4]])
        assert.deepEqual(await reopened.query('SELECT name FROM things ORDER BY nid', []), [
          { name: 'before' },
          { name: 'after' },
        ])
        await reopened[Symbol.asyncDispose]()
        await cleanUp()
      },
    )

    it('takes more than fits into a batch and lets the rest wait in order', async () => {
      const { db, cleanUp } = await target.create()
      const data = new Uint8Array(40_000)
      const writes = Array.from({ length: 1500 }, (_, index) =>
        db.commit({
          entries: [entry()],
          steps: [{ into: THINGS, values: [{ position: 0 }, `press ${index}`, index, data] }],
        }),
      )
      await writes[0]
      // The first batch was cut at 4 MiB; the second is in flight; only callers hold the others.
      assert.ok(db.stats.inFlight <= 512 && db.stats.waiting >= 1500 - 2 * 512, JSON.stringify(db.stats))
      assert.ok(db.stats.inFlight <= (4 * 1024 * 1024) / data.length + 1, JSON.stringify(db.stats))
      const results = await Promise.all(writes)
      assert.deepEqual(
        results.map((result) => result.ok && result.positions[0]),
        writes.map((_, index) => index + 1),
      )
      assert.equal((await one(db, 'SELECT COUNT(*) AS n FROM things WHERE amount = nid - 1'))['n'], 1500)
      await db[Symbol.asyncDispose]()
      await cleanUp()
    })

    it('fails as a whole when a listener of the log throws, and says so once', async () => {
      const failures: string[] = []
      const { db, cleanUp } = await target.create({
        onCommit: () => {
          throw new Error('ring')
        },
        onFailure: (error) => failures.push(error.message),
      })
      const writes = await Promise.allSettled([db.commit(thing('a')), db.commit(thing('b'))])
      assert.deepEqual(
        writes.map((write) => write.status),
        ['rejected', 'rejected'],
      )
      await assert.rejects(db.commit(thing('c')), /listener of the log failed/)
      assert.equal(failures.length, 1)
      await db[Symbol.asyncDispose]()
      await cleanUp()
    })
  })
}
