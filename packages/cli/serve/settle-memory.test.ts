import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Timer } from '@causeway/store/clock/clock.ts'
import { settleMemorySoon } from './settle-memory.ts'

it('collects once, in the first quiet period after the start', () => {
  const timers: (() => void)[] = []
  const clock = {
    setTimeout: (fn: () => void): Timer => {
      timers.push(fn)
      return { cancel: () => undefined }
    },
  }
  const shares = [0.9, 0.11, 0.02]
  let collected = 0
  settleMemorySoon(
    clock,
    () => collected++,
    () => shares.shift()!,
  )
  for (const expected of [0, 0, 1]) {
    timers.shift()!()
    assert.equal(collected, expected)
  }
  assert.deepEqual([timers, shares], [[], []])
})
