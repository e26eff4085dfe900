import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryBudget } from '../cache/memory-budget.ts'
import type { Database, Step } from '../db/database.ts'
import { findTestDrivers, openTestLog } from '../log/databases-suite.ts'
import { collectStateNodes } from './collect.ts'
import type { CollectProgress } from './collect.ts'
import type { StateChange } from './apply.ts'
import { diffStates } from './diff.ts'
import { createKeyOverlay, createKeyStore, internKeys, keyInsert, weighKey } from './keys.ts'
import type { KeyStore } from './keys.ts'
import { EMPTY_ROOT, weighNode } from './node.ts'
import { createNodeOverlay, createNodeStore, nodeInsert } from './node-source.ts'
import type { NodeStore } from './node-source.ts'
import { applyChanges, getMany, listState, readState } from './tree.ts'

const ROOM = 7

/** Everything through caches that are too small to hold it, so that the database is read as well. */
function openState(db: Database, bytes = 20_000): { nodes: NodeStore; keys: KeyStore } {
  const budget = createMemoryBudget(bytes)
  return {
    nodes: createNodeStore(db, budget.cache({ name: 'nodes', share: 0.5, weigh: weighNode })),
    keys: createKeyStore(db, budget.cache({ name: 'keys', share: 0.5, weigh: weighKey })),
  }
}

async function commit(db: Database, steps: readonly Step[]): Promise<void> {
  assert.ok((await db.commit({ entries: [], steps })).ok)
}

/** A room's head as far as state goes: hands out node numbers and commits each change. */
function openRoom(db: Database, nodes: NodeStore, room = ROOM) {
  const head = { next: 1, root: EMPTY_ROOT }
  return {
    head,
    async change(root: number, changes: readonly StateChange[]): Promise<number> {
      const applied = await applyChanges(nodes, room, root, changes, () => head.next++)
      await commit(
        db,
        applied.newNodes.map((node) => nodeInsert(room, node)),
      )
      return (head.root = applied.root)
    },
  }
}

const range = (count: number, value: (key: number) => number): StateChange[] =>
  Array.from({ length: count }, (_, key) => [key, value(key)])

async function listAll(nodes: NodeStore, root: number, room = ROOM): Promise<(readonly [number, number])[]> {
  const items: (readonly [number, number])[] = []
  for await (const portion of listState(nodes, room, root)) items.push(...portion)
  return items
}

const eventRow = (nid: number, root: number, before: number, room = ROOM): Step => ({
  sql: `INSERT INTO events (nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, json)
        VALUES (?, ?, ?, 1, ?, ?, 0, 0, ?)`,
  params: [nid, `$${room}-${nid}`, room, root, before, new Uint8Array([123, 125])],
})

for (const { name, skip, create } of await findTestDrivers()) {
  test(`${name}: state is read back, changed and compared through the database`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const { nodes } = openState(store.db)
    const room = openRoom(store.db, nodes)
    const first = await room.change(
      EMPTY_ROOT,
      range(3000, (key) => key + 1),
    )
    const second = await room.change(first, [
      [5, undefined],
      [2999, -77],
      [4000, 2 ** 40],
    ])
    // A cold cache, as after a restart.
    const cold = openState(store.db).nodes
    assert.equal(await readState(cold, ROOM, second, 2999), -77)
    assert.deepEqual(await getMany(cold, ROOM, second, [5, 4000, 6, 90_000]), [
      undefined,
      2 ** 40,
      7,
      undefined,
    ])
    assert.equal((await listAll(cold, first)).length, 3000)
    assert.deepEqual(await diffStates(cold, ROOM, first, second), [
      { keyNid: 5, before: 6, after: undefined },
      { keyNid: 2999, before: 3000, after: -77 },
      { keyNid: 4000, before: undefined, after: 2 ** 40 },
    ])
    await assert.rejects(readState(cold, ROOM, 999_999, 0), /999999 of room 7 is not in the database/)
    await assert.rejects(readState(cold, ROOM + 1, second, 0), /not in the database/)
  })

  test(`${name}: roots made one on another are read before any is committed`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const { nodes } = openState(store.db)
    const overlay = createNodeOverlay(nodes, ROOM)
    let next = 1
    let root = EMPTY_ROOT
    const made = []
    for (let key = 0; key < 100; key++) {
      const applied = await applyChanges(overlay, ROOM, root, [[key, key + 1]], () => next++)
      overlay.add(applied.newNodes)
      made.push(...applied.newNodes)
      root = applied.root
    }
    assert.equal(await readState(overlay, ROOM, root, 50), 51)
    await assert.rejects(readState(nodes, ROOM, root, 50), /not in the database/)
    await commit(
      store.db,
      made.map((node) => nodeInsert(ROOM, node)),
    )
    overlay.settle(made)
    assert.equal(overlay.size(), 0)
    assert.deepEqual(
      await listAll(createNodeStoreCold(store.db), root),
      range(100, (key) => key + 1),
    )
    // A number handed out twice is refused: nothing is ever overwritten.
    const again = await store.db.commit({ entries: [], steps: [nodeInsert(ROOM, made[0]!)] })
    assert.equal(again.ok, false)
  })

  test(`${name}: names are numbered once per room, pending ones too, odd ones too`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const { keys } = openState(store.db)
    const overlay = createKeyOverlay(keys, ROOM)
    let next = 0
    const intern = (names: { type: string; stateKey: string }[]): ReturnType<typeof internKeys> =>
      internKeys(overlay, ROOM, names, () => next++)
    const names = [
      { type: 'm.room.name', stateKey: '' },
      { type: 'a', stateKey: 'b|c' },
      { type: 'a|b', stateKey: 'c' },
      { type: 'nul\u0000and\u0001', stateKey: '\u0000' },
      { type: 'm.room.member', stateKey: '@Ä🦊:a.example' },
    ]
    const first = await intern([...names, names[1]!])
    assert.deepEqual(first.keyNids, [0, 1, 2, 3, 4, 1])
    assert.equal(first.newKeys.length, 5)
    overlay.add(first.newKeys)
    assert.deepEqual(await intern(names), { keyNids: [0, 1, 2, 3, 4], newKeys: [] })
    await commit(
      store.db,
      first.newKeys.map((key) => keyInsert(ROOM, key)),
    )
    overlay.settle(first.newKeys)
    assert.equal(overlay.size(), 0)
    const cold = openState(store.db).keys
    assert.deepEqual(await cold.find(ROOM, [...names].reverse()), [4, 3, 2, 1, 0])
    assert.deepEqual(await cold.find(ROOM + 1, names.slice(0, 1)), [undefined])
    assert.deepEqual([...(await cold.names(ROOM, [3, 99]))], [[3, names[3]]])
    const twice = await store.db.commit({
      entries: [],
      steps: [keyInsert(ROOM, { ...names[0]!, keyNid: 50 })],
    })
    assert.equal(twice.ok, false)
  })

  test(
    `${name}: a collection keeps what events and the head refer to and deletes the rest`,
    { skip },
    async () => {
      await using database = await create()
      await using store = await openTestLog(database.config)
      const { db } = store
      const { nodes } = openState(db)
      const room = openRoom(db, nodes)
      const other = openRoom(db, nodes, ROOM + 1)
      const otherRoot = await other.change(
        EMPTY_ROOT,
        range(200, (key) => key),
      )
      const roots = [
        await room.change(
          EMPTY_ROOT,
          range(1500, (key) => key),
        ),
      ]
      for (let i = 0; i < 40; i++) roots.push(await room.change(roots.at(-1)!, [[i * 37, -i - 1]]))
      const kept = roots.filter((_, i) => i % 5 === 0)
      await commit(
        db,
        kept.map((root, i) =>
          eventRow(i % 2 === 0 ? i + 1 : -i, root, roots[roots.indexOf(root) - 1] ?? root),
        ),
      )
      const all = await count(db)
      const below = room.head.next
      let progress: CollectProgress | undefined
      let meanwhile = EMPTY_ROOT
      let steps = 0
      for await (progress of collectStateNodes(db, ROOM, { budget: 50, roots: [roots.at(-1)!], below })) {
        // A write in the middle of it builds on the head; its nodes and what they share stay.
        if (++steps === 3) meanwhile = await room.change(roots.at(-1)!, [[777, 4]])
      }
      assert.ok(steps > 5)
      assert.ok(progress!.deleted > 40)
      const now = await count(db)
      assert.equal(now, all - progress!.deleted + (room.head.next - below))
      const cold = createNodeStoreCold(db)
      for (const root of [...kept, meanwhile]) assert.equal((await listAll(cold, root)).length, 1500)
      assert.equal((await listAll(cold, otherRoot, ROOM + 1)).length, 200)
      await assert.rejects(listAll(cold, roots[1]!), /not in the database/)
      // Once more finds nothing to do.
      const live = { budget: 1000, roots: [meanwhile], below: room.head.next }
      for await (progress of collectStateNodes(db, ROOM, live));
      assert.equal(await count(db), now)
      await assert.rejects(collectStateNodes(db, ROOM, { ...live, budget: 0 }).next(), RangeError)
    },
  )

  test(`${name}: a purged room is forgotten by the caches, others are not`, { skip }, async () => {
    await using database = await create()
    await using store = await openTestLog(database.config)
    const { nodes, keys } = openState(store.db, 1_000_000)
    for (const room of [ROOM, ROOM + 1]) {
      nodes.remember(room, [{ nodeNid: 1, node: { level: 0, bitmap: 1, slots: [5] } }])
      keys.remember(room, [{ type: 'a', stateKey: '', keyNid: 0 }])
    }
    nodes.forgetRoom(ROOM)
    keys.forgetRoom(ROOM)
    assert.equal(nodes.peek(ROOM, 1), undefined)
    assert.ok(nodes.peek(ROOM + 1, 1))
    assert.deepEqual(await keys.find(ROOM, [{ type: 'a', stateKey: '' }]), [undefined])
    assert.deepEqual(await keys.find(ROOM + 1, [{ type: 'a', stateKey: '' }]), [0])
  })
}

function createNodeStoreCold(db: Database): NodeStore {
  return openState(db).nodes
}

async function count(db: Database): Promise<number> {
  const rows = await db.query('SELECT count(*) AS n FROM state_nodes WHERE room_nid = ?', [ROOM])
  return Number(rows[0]!['n'])
}
