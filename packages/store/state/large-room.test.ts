import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { diffStates } from './diff.ts'
import { MemoryNodes } from './memory-nodes.ts'
import { EMPTY_ROOT } from './node.ts'
import { getMany, listState, readState } from './tree.ts'

const MEMBERS = 50_000
/** Names, topic, power levels and the like, which were there before the members. */
const OTHER_KEYS = 12
const KEYS = MEMBERS + OTHER_KEYS

const nodes = new MemoryNodes()
/** Bytes of rows that one join added, by its number. */
const joinBytes: number[] = []
const roots: number[] = []
let root = EMPTY_ROOT

/** Two integer columns, which SQLite stores in at most 8 bytes each, beside the data. */
const rowBytes = (nodeNid: number): number => nodes.rows.get(nodeNid)!.length + 16

before(async () => {
  for (let key = 0; key < KEYS; key++) {
    const known = nodes.rows.size
    root = await nodes.change(root, [[key, key + 1]])
    let bytes = 0
    for (let nid = known + 1; nid <= nodes.rows.size; nid++) bytes += rowBytes(nid)
    joinBytes.push(bytes)
    if (key % 1000 === 0) roots.push(root)
  }
})

/** Nodes that `work` reads, each counted once. */
async function touches(work: () => Promise<unknown>): Promise<number> {
  nodes.touched.clear()
  await work()
  return nodes.touched.size
}

test('a membership change in a room of 50,000 adds under 4 KiB of rows, keys and numbers included', async () => {
  const names = 'm.room.member'.length + '@someone.with.a.long.name:a.server.example.org'.length + 16
  const number = 24
  assert.ok(Math.max(...joinBytes) + names + number < 1024, `${Math.max(...joinBytes)} bytes at most`)
  // Not only for those who come last: a change of any member, whose values are scattered after it.
  let now = root
  for (let i = 0; i < 2000; i++) {
    const known = nodes.rows.size
    now = await nodes.change(now, [[(i * 7919) % KEYS, KEYS + i]])
    let bytes = 0
    for (let nid = known + 1; nid <= nodes.rows.size; nid++) bytes += rowBytes(nid)
    assert.ok(bytes + number < 1024, `${bytes} bytes`)
  }
})

test('one key at any point is read through at most four nodes', async () => {
  for (const at of [...roots, root]) {
    for (let key = 0; key < KEYS; key += 4999) {
      assert.ok((await touches(() => readState(nodes, 1, at, key))) <= 4)
    }
  }
  assert.equal(await readState(nodes, 1, root, 33_333), 33_334)
  assert.equal(await readState(nodes, 1, roots[2]!, 33_333), undefined)
})

test('the difference of two states touches two paths for each key that differs', async () => {
  for (const count of [1, 10, 100]) {
    const keys = Array.from({ length: count }, (_, i) => (i * 6007) % KEYS)
    const other = await nodes.change(
      root,
      keys.map((key) => [key, -1 - key]),
    )
    let differences = 0
    const touched = await touches(async () => {
      differences = (await diffStates(nodes, 1, root, other)).length
    })
    assert.equal(differences, count)
    assert.ok(touched <= 2 * 4 * count, `${touched} nodes for ${count} keys`)
  }
})

test('the state of a point long past and of now differ by what came since, and cost that', async () => {
  const touched = await touches(async () => {
    assert.equal((await diffStates(nodes, 1, roots[49]!, root)).length, KEYS - 1 - 49_000)
  })
  // A thousand neighbouring keys share leaves: 32 and their parents, on both sides.
  assert.ok(touched < 80, `${touched} nodes`)
})

test('a batch of changes shares its copied paths', async () => {
  const known = nodes.rows.size
  await nodes.change(
    root,
    Array.from({ length: 100 }, (_, i) => [20_000 + i, -5]),
  )
  assert.ok(nodes.rows.size - known <= 4 + 1 + 1 + 1)
})

test('the whole state comes in portions, in order and complete', async () => {
  let expected = 0
  for await (const portion of listState(nodes, 1, root)) {
    assert.ok(portion.length <= 8192)
    for (const item of portion) assert.deepEqual(item, [expected, ++expected])
  }
  assert.equal(expected, KEYS)
  const some = [0, 49_999, 60_000]
  assert.deepEqual(await getMany(nodes, 1, root, some), [1, 50_000, undefined])
})
