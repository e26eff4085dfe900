import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyedQueue } from './keyed-queue.ts'

test('tasks of one key run one after another in the order they came', async () => {
  const queue = createKeyedQueue<string>()
  const log: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = queue.serial('a', async () => {
    log.push('1 starts')
    await gate.promise
    log.push('1 ends')
  })
  const second = queue.serial('a', () => log.push('2'))
  assert.equal(queue.depth('a'), 2)
  assert.deepEqual(log, ['1 starts'])
  gate.resolve()
  await Promise.all([first, second])
  assert.deepEqual(log, ['1 starts', '1 ends', '2'])
})

test('tasks of another key do not wait', async () => {
  const queue = createKeyedQueue<string>()
  const gate = Promise.withResolvers<void>()
  const blocked = queue.serial('a', () => gate.promise)
  assert.equal(await queue.serial('b', () => 'through'), 'through')
  gate.resolve()
  await blocked
})

test('a task that fails, thrown or rejected, fails its caller only', async () => {
  const queue = createKeyedQueue<number>()
  const thrown = queue.serial(1, () => {
    throw new Error('thrown')
  })
  const rejected = queue.serial(1, () => Promise.reject(new Error('rejected')))
  const fine = queue.serial(1, () => 'fine')
  await assert.rejects(thrown, /thrown/)
  await assert.rejects(rejected, /rejected/)
  assert.equal(await fine, 'fine')
})

test('an idle key is forgotten, and idle() resolves when all are', async () => {
  const queue = createKeyedQueue<number>()
  const gate = Promise.withResolvers<void>()
  for (let key = 0; key < 100; key++) void queue.serial(key, () => gate.promise)
  assert.equal(queue.size(), 100)
  gate.resolve()
  await queue.idle()
  assert.equal(queue.size(), 0)
  assert.equal(queue.depth(5), 0)
})

test('a task queued at any turn while a key becomes idle is run', async () => {
  // The turn between the last task's end and the removal of the key is where one could be lost.
  for (let turns = 0; turns < 10; turns++) {
    const queue = createKeyedQueue<string>()
    void queue.serial('a', () => Promise.resolve())
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    assert.equal(await queue.serial('a', () => turns), turns)
    await queue.idle()
  }
})

test('thousands of waiting tasks keep their order and an exact depth', async () => {
  const queue = createKeyedQueue<string>()
  const seen: number[] = []
  const depths: number[] = []
  for (let i = 0; i < 5000; i++) {
    void queue.serial('a', async () => {
      seen.push(i)
      depths.push(queue.depth('a'))
    })
  }
  await queue.idle()
  assert.deepEqual(
    seen,
    Array.from({ length: 5000 }, (_, i) => i),
  )
  assert.equal(depths[4999], 1)
  assert.equal(depths[1000], 4000)
})
