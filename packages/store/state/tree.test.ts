import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StateChange } from './apply.ts'
import { diffStates } from './diff.ts'
import { MemoryNodes } from './memory-nodes.ts'
import { EMPTY_ROOT } from './node.ts'
import { getMany, listState, readState } from './tree.ts'
import type { StateItem } from './tree.ts'

/** Keys near zero, and at the borders where trees grow. */
const key = fc.oneof(
  fc.nat(70),
  fc.constantFrom(31, 32, 1023, 1024, 1055, 32_767, 32_768, 2 ** 30),
  fc.nat(40_000),
)
const value = fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined, freq: 2 })
const batch: fc.Arbitrary<StateChange[]> = fc.array(fc.tuple(key, value), { maxLength: 12 })
const batches = fc.array(batch, { maxLength: 12 })

type Model = Map<number, number>

function changed(model: Model, changes: readonly StateChange[]): Model {
  const next = new Map(model)
  for (const [keyNid, to] of changes) {
    if (to === undefined) next.delete(keyNid)
    else next.set(keyNid, to)
  }
  return next
}

const sorted = (model: Model): StateItem[] => [...model].sort((a, b) => a[0] - b[0])

async function listAll(nodes: MemoryNodes, root: number): Promise<StateItem[]> {
  const items: StateItem[] = []
  for await (const portion of listState(nodes, 1, root)) items.push(...portion)
  return items
}

test('every root ever made reads as a map to which the same changes were made', async () => {
  await fc.assert(
    fc.asyncProperty(batches, async (all) => {
      const nodes = new MemoryNodes()
      const roots: [number, Model][] = [[EMPTY_ROOT, new Map()]]
      for (const changes of all) {
        const [root, model] = roots.at(-1)!
        roots.push([await nodes.change(root, changes), changed(model, changes)])
      }
      for (const [root, model] of roots) {
        assert.deepEqual(await listAll(nodes, root), sorted(model))
        const asked = [...model.keys(), 0, 33, 32_768, 2 ** 34]
        assert.deepEqual(
          await getMany(nodes, 1, root, asked),
          asked.map((keyNid) => model.get(keyNid)),
        )
      }
    }),
  )
})

test('the difference of any two roots is that of their maps, in the order of keys', async () => {
  await fc.assert(
    fc.asyncProperty(batches, batches, async (one, other) => {
      const nodes = new MemoryNodes()
      let [base, baseModel]: [number, Model] = [EMPTY_ROOT, new Map()]
      for (const changes of one) {
        base = await nodes.change(base, changes)
        baseModel = changed(baseModel, changes)
      }
      let [root, model] = [base, baseModel]
      for (const changes of other) {
        root = await nodes.change(root, changes)
        model = changed(model, changes)
      }
      const keys = [...new Set([...baseModel.keys(), ...model.keys()])].sort((a, b) => a - b)
      const expected = keys
        .map((keyNid) => ({ keyNid, before: baseModel.get(keyNid), after: model.get(keyNid) }))
        .filter(({ before, after }) => before !== after)
      assert.deepEqual(await diffStates(nodes, 1, base, root), expected)
      const back = expected.map(({ keyNid, before, after }) => ({ keyNid, before: after, after: before }))
      assert.deepEqual(await diffStates(nodes, 1, root, base), back)
    }),
  )
})

test('equal states have equal shapes, whatever came before', async () => {
  const shape = async (nodes: MemoryNodes, root: number): Promise<unknown> => {
    if (root === EMPTY_ROOT) return null
    const node = (await nodes.load(1, [root])).get(root)!
    const below =
      node.level === 0 ? node.slots : await Promise.all(node.slots.map((child) => shape(nodes, child)))
    return [node.level, node.bitmap, below]
  }
  await fc.assert(
    fc.asyncProperty(batches, async (all) => {
      const nodes = new MemoryNodes()
      let [root, model]: [number, Model] = [EMPTY_ROOT, new Map()]
      for (const changes of all) {
        root = await nodes.change(root, changes)
        model = changed(model, changes)
      }
      const fresh = await nodes.change(EMPTY_ROOT, sorted(model))
      assert.deepEqual(await shape(nodes, root), await shape(nodes, fresh))
    }),
  )
})

test('a change without effect gives the old root and no node', async () => {
  const nodes = new MemoryNodes()
  const root = await nodes.change(EMPTY_ROOT, [
    [0, 10],
    [40, 11],
  ])
  const before = nodes.rows.size
  assert.equal(
    await nodes.change(root, [
      [40, 11],
      [7, undefined],
      [99_999, undefined],
    ]),
    root,
  )
  assert.equal(
    await nodes.change(root, [
      [40, 12],
      [40, 11],
    ]),
    root,
  )
  assert.equal(nodes.rows.size, before)
  assert.equal(
    await nodes.change(root, [
      [0, undefined],
      [40, undefined],
    ]),
    EMPTY_ROOT,
  )
})

test('removing the last high key makes the tree lower again without rows left over', async () => {
  const nodes = new MemoryNodes()
  const low = await nodes.change(EMPTY_ROOT, [[1, 10]])
  const high = await nodes.change(low, [[100_000, 11]])
  const before = nodes.rows.size
  assert.equal(await nodes.change(high, [[100_000, undefined]]), low)
  assert.equal(nodes.rows.size, before)
})

test('numbers that cannot be keys or values are refused', async () => {
  const nodes = new MemoryNodes()
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 35]) {
    await assert.rejects(nodes.change(EMPTY_ROOT, [[bad, 1]]), RangeError)
  }
  for (const bad of [1.5, Number.NaN, 2 ** 51 + 1]) {
    await assert.rejects(nodes.change(EMPTY_ROOT, [[1, bad]]), RangeError)
  }
  assert.equal(await readState(nodes, 1, EMPTY_ROOT, 1), undefined)
})
