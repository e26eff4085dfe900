import assert from 'node:assert/strict'
import { it } from 'node:test'
import { memoryTarget } from '../conformance/targets.ts'
import { accepted, entry, NOTES, note, THINGS } from '../conformance/fixture.ts'
import { BatchEncoder } from './encode-batch.ts'

it('a kind of step is described once and then referred to', () => {
  const encoder = new BatchEncoder()
  encoder.add(note(NOTES, 'a', 1))
  encoder.add(note(NOTES, 'b', 2))
  assert.equal(encoder.finish().defs.length, 1)
  encoder.add(note(NOTES, 'c', 3))
  const message = encoder.finish()
  assert.deepEqual([message.defs.length, message.reset, message.writes], [0, false, 1])
})

it('a write that cannot be encoded leaves the batch as it was', () => {
  const encoder = new BatchEncoder()
  encoder.add(note(NOTES, 'a', 1))
  const bad = {
    entries: [entry()],
    steps: [{ into: THINGS, values: [{ position: 0 }, 'x', 1.5, new Uint8Array(9)] }],
  }
  assert.throws(() => encoder.add(bad), TypeError)
  encoder.add(note(NOTES, 'b', 2))
  const { items, bytes, writes } = encoder.finish()
  assert.deepEqual(
    [items, bytes.length, writes],
    [[0, 0, 0, 1, 0, -1, 'a', 'n', 1, 0, 0, 0, 1, 0, -1, 'b', 'n', 2], 0, 2],
  )
})

it('thousands of different statements do not pile up: both sides forget and go on', async () => {
  const { db, cleanUp } = await memoryTarget.create()
  for (let part = 0; part < 10; part++) {
    await Promise.all(
      Array.from({ length: 1000 }, (_, index) => {
        const step = { sql: `SELECT ${part * 1000 + index} AS n`, params: [], returning: true }
        return accepted(db, {
          entries: [],
          steps: [step, { into: NOTES, values: ['many', `${part} ${index}`, 1] }],
        }).then(({ rows }) => assert.deepEqual(rows.get(0), [{ n: part * 1000 + index }]))
      }),
    )
  }
  assert.deepEqual(await db.query('SELECT COUNT(*) AS n FROM notes', []), [{ n: 10_000 }])
  await db[Symbol.asyncDispose]()
  await cleanUp()
})
