import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFairQueue, QueueFull } from './fair-queue.ts'

/** A task that ends when it is told to. */
function gate(): { readonly task: () => Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { task: () => promise, open: resolve }
}

describe('fair queue', () => {
  it('runs as many at once as it may', async () => {
    const queue = createFairQueue(2, 10)
    const gates = [gate(), gate(), gate()]
    const runs = gates.map(({ task }) => queue.run('a', task))
    assert.equal(queue.waiting(), 1)
    gates[0]!.open()
    await runs[0]
    assert.equal(queue.waiting(), 0)
    gates.forEach(({ open }) => open())
    await Promise.all(runs)
  })
  it('lets keys take turns, so that a crowd does not hold up another key', async () => {
    const queue = createFairQueue(1, 100)
    const order: string[] = []
    const first = gate()
    const runs = [queue.run('crowd', first.task)]
    const note = (name: string) => async (): Promise<void> => void order.push(name)
    for (let i = 0; i < 5; i++) runs.push(queue.run('crowd', note('crowd')))
    runs.push(queue.run('alone', note('alone')))
    first.open()
    await Promise.all(runs)
    assert.deepEqual(order.slice(0, 3), ['crowd', 'alone', 'crowd'])
  })
  it('refuses what would wait too long, a crowd before others', async () => {
    const queue = createFairQueue(1, 8)
    const held = gate()
    const runs = [queue.run('crowd', held.task), queue.run('crowd', held.task), queue.run('crowd', held.task)]
    await assert.rejects(queue.run('crowd', held.task), QueueFull)
    runs.push(queue.run('other', held.task))
    held.open()
    await Promise.all(runs)
  })
  it('goes on after a task that fails', async () => {
    const queue = createFairQueue(1, 4)
    await assert.rejects(
      queue.run('a', () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.equal(await queue.run('a', () => Promise.resolve(7)), 7)
  })
})
