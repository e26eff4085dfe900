import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createUnsentRooms } from './unsent-rooms.ts'

test('what is known is not written again, but while the rows are read it is once in every write', () => {
  const unsent = createUnsentRooms<string>(createMemoryBudget(1_000_000), 'rooms')
  assert.deepEqual([unsent.add('b', 1), unsent.add('b', 1), unsent.add('b', 2)], [true, false, true])
  {
    using _first = unsent.reading('b')
    {
      using _second = unsent.reading('b')
      assert.deepEqual([unsent.add('b', 1), unsent.add('b', 1), unsent.add('b', 2)], [true, false, true])
      unsent.nextWrite()
    }
    assert.deepEqual([unsent.add('b', 1), unsent.add('b', 1)], [true, false])
    unsent.nextWrite()
    assert.deepEqual([unsent.add('b', 1), unsent.add('b', 1)], [true, false])
    assert.deepEqual([unsent.add('c', 1), unsent.add('c', 1)], [true, false])
  }
  assert.deepEqual([unsent.add('b', 1), unsent.add('b', 1)], [true, false])
})
