import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMemoryBudget } from './memory-budget.ts'

const weigh = (value: string): number => value.length

test('a cache never holds more than its share, by its own estimate', () => {
  const budget = createMemoryBudget(100_000)
  const cache = budget.cache<number, string>({ name: 'events', share: 0.5, weigh })
  for (let i = 0; i < 1000; i++) {
    cache.set(i, 'x'.repeat(1000))
    if (i % 3 === 0) cache.get(i - 5)
    assert.ok(cache.figures().bytes <= 50_000)
  }
  const { entries, shed, limit } = cache.figures()
  assert.equal(limit, 50_000)
  assert.ok(entries >= 40)
  assert.equal(entries + shed, 1000)
})

test('what was asked for again outlives a long scan', () => {
  const cache = createMemoryBudget(100_000).cache<string, string>({ name: 'a', share: 1, weigh })
  cache.set('power levels', 'x')
  cache.get('power levels')
  for (let i = 0; i < 10_000; i++) cache.set(`member ${i}`, 'x'.repeat(100))
  assert.equal(cache.get('power levels'), 'x')
  assert.equal(cache.get('member 0'), undefined)
})

test('the least recently used goes first', () => {
  const cache = createMemoryBudget(4 * 113).cache<string, string>({ name: 'a', share: 1, weigh })
  for (const key of ['a', 'b', 'c', 'd', 'e']) cache.set(key, 'x')
  assert.equal(cache.peek('a'), undefined)
  assert.equal(cache.peek('b'), 'x')
})

test('a value heavier than the cache, or without a weight, is not held and takes the old one with it', () => {
  const cache = createMemoryBudget(1000).cache<string, string>({
    name: 'a',
    share: 1,
    weigh: (value) => (value === 'odd' ? Number.NaN : value.length),
  })
  cache.set('a', 'small')
  cache.set('b', 'small')
  cache.set('a', 'x'.repeat(2000))
  cache.set('b', 'odd')
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.figures().entries, 0)
  assert.equal(cache.figures().bytes, 0)
})

test('shares never add up to more than the whole, names are taken once, and a resize acts at once', () => {
  const budget = createMemoryBudget(10_000)
  const cache = budget.cache<number, string>({ name: 'a', share: 0.7, weigh })
  budget.cache<number, string>({ name: 'b', share: 0.1, weigh })
  budget.cache<number, string>({ name: 'c', share: 0.2, weigh })
  assert.throws(() => budget.cache({ name: 'a', share: 0.1, weigh: () => 1 }), /already/)
  for (let i = 0; i < 100; i++) cache.set(i, 'x')
  budget.resize(1000)
  assert.equal(budget.totalBytes(), 1000)
  assert.ok(cache.figures().bytes <= 700)
  assert.deepEqual(
    budget.figures().map((figures) => [figures.name, figures.limit]),
    [
      ['a', 700],
      ['b', 100],
      ['c', 200],
    ],
  )
  budget.cache({ name: 'd', share: 1, weigh: () => 1 })
  assert.deepEqual(
    budget.figures().map((figures) => figures.limit),
    [350, 50, 100, 500],
  )
  assert.throws(() => budget.cache({ name: 'e', share: 0, weigh: () => 1 }), /above 0/)
})

test('hits and misses are counted, peeks are not', () => {
  const cache = createMemoryBudget(10_000).cache<number, string>({ name: 'a', share: 1, weigh })
  cache.set(1, 'x')
  cache.get(1)
  cache.get(2)
  cache.peek(1)
  assert.equal(cache.figures().hits, 1)
  assert.equal(cache.figures().misses, 1)
})

test('after any operations the estimate is the sum of what is held, and values are the last set', () => {
  const step = fc.record({
    op: fc.constantFrom('get', 'set', 'delete', 'resize'),
    key: fc.nat(20),
    size: fc.nat(800),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = createMemoryBudget(3000).cache<number, string>({ name: 'a', share: 1, weigh })
      const model = new Map<number, string>()
      for (const { op, key, size } of steps) {
        if (op === 'set') {
          cache.set(key, 'x'.repeat(size))
          model.set(key, 'x'.repeat(size))
        } else if (op === 'get') cache.get(key)
        else if (op === 'resize') cache.resize(size * 4)
        else {
          cache.delete(key)
          model.delete(key)
        }
      }
      let bytes = 0
      let entries = 0
      for (let key = 0; key <= 20; key++) {
        const value = cache.peek(key)
        if (value === undefined) continue
        assert.equal(value, model.get(key))
        bytes += value.length + 112
        entries++
      }
      const figures = cache.figures()
      assert.equal(figures.bytes, bytes)
      assert.equal(figures.entries, entries)
      assert.ok(figures.bytes <= figures.limit)
    }),
  )
})

test('a row that was read before its key changed does not come back', () => {
  const cache = createMemoryBudget(1_000_000).cache<string, string>({ name: 'a', share: 1, weigh })
  const mark = cache.mark()
  assert.equal(cache.fill('read', 'old', mark), 'old')
  cache.set('set', 'new')
  assert.equal(cache.fill('set', 'old', mark), 'new')
  cache.set('gone', 'new')
  cache.delete('gone')
  assert.equal(cache.fill('gone', 'old', mark), 'old', 'who began to read before sees what was there before')
  assert.equal(cache.peek('gone'), undefined)
  assert.equal(cache.fill('gone', 'newest', cache.mark()), 'newest')
  assert.equal(cache.peek('gone'), 'newest')
  const later = cache.mark()
  cache.deleteWhere((key) => key === 'set')
  cache.fill('set', 'old', later)
  assert.equal(cache.peek('set'), undefined)
})

test('after more changes than are remembered by key nothing read before them is held', () => {
  const cache = createMemoryBudget(10_000_000).cache<number, string>({ name: 'a', share: 1, weigh })
  const mark = cache.mark()
  cache.delete(-1)
  for (let i = 0; i < 3000; i++) cache.set(i, 'x')
  cache.fill(-1, 'old', mark)
  assert.equal(cache.peek(-1), undefined)
  const recent = cache.mark()
  for (let i = 0; i < 500; i++) cache.set(i, 'y')
  cache.fill(-2, 'read', recent)
  assert.equal(cache.peek(-2), 'read')
})
