import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createChangeIndex } from './change-index.ts'

test('what is known not to have changed is said so, what is not known is not', () => {
  const index = createChangeIndex(2, 10)
  assert.equal(index.mayHaveChanged('a', 9), true)
  assert.equal(index.mayHaveChanged('a', 10), false)
  index.note('a', 11)
  index.note('b', 12)
  assert.equal(index.mayHaveChanged('a', 10), true)
  assert.equal(index.mayHaveChanged('a', 11), false)
  index.note('a', 13)
  index.note('c', 14)
  assert.equal(index.floor(), 12)
  assert.equal(index.size(), 2)
  assert.equal(index.lastChange('b'), undefined)
  assert.equal(index.mayHaveChanged('b', 11), true)
  assert.equal(index.mayHaveChanged('b', 12), false)
  assert.equal(index.last(), 14)
  index.raiseFloor(20)
  assert.equal(index.mayHaveChanged('a', 19), true)
  assert.equal(index.mayHaveChanged('a', 20), false)
  assert.equal(index.last(), 20)
})

test('no change is ever missed, however small the index', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(9), { maxLength: 60 }), (limit, keys) => {
      const index = createChangeIndex(limit, 0)
      const last = new Map<string, number>()
      keys.forEach((key, i) => {
        index.note(`${key}`, i + 1)
        last.set(`${key}`, i + 1)
        assert.ok(index.size() <= limit)
      })
      for (let key = 0; key < 10; key++) {
        for (let since = 0; since <= keys.length; since++) {
          const changed = (last.get(`${key}`) ?? 0) > since
          if (changed) assert.equal(index.mayHaveChanged(`${key}`, since), true)
          else if (since >= index.floor()) assert.equal(index.mayHaveChanged(`${key}`, since), false)
        }
      }
    }),
  )
})
