import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, it } from 'node:test'
import { runSeed } from '../../packages/testkit/simulation/run-seed.ts'
import { runSeeds, sumAdversity } from '../../packages/testkit/simulation/run-seeds.ts'
import type { PlainResult } from '../../packages/testkit/simulation/seed-worker.ts'
import { ADVERSITY, FIXED_SEEDS, TEST_SEEDS } from './seeds.ts'

// Five whole servers, and mostly a hostile sixth, in one process each seed. `npm run test:simulation` runs more of the
// same; a seed that fails there is entered into `seeds.ts`.

/** Of a process that has run dozens of seeds, after the garbage was collected. */
const MAX_HEAP_BYTES = 256 * 2 ** 20

const jobs = Math.max(1, availableParallelism())

function assertAllHeld(results: readonly PlainResult[]): void {
  const broken = results.filter((result) => result.broken.length > 0)
  assert.deepEqual(
    broken.map(({ seed, broken: what }) => [seed, what.slice(0, 5)]),
    [],
  )
}

describe('a federation of five servers', () => {
  it('runs the same way again from the same seed, and another way from another', async () => {
    const [one, again, other] = [await runSeed('replay'), await runSeed('replay'), await runSeed('other')]
    assert.ok(one.steps > 500 && one.acknowledged > 20)
    assert.deepEqual([one.trace, one.steps], [again.trace, again.steps])
    assert.notEqual(one.trace, other.trace)
  })

  it(`holds together at ${TEST_SEEDS} seeds and those that found faults, and everything happens in them that can`, async () => {
    const first = Array.from({ length: TEST_SEEDS }, (_, i) => String(i + 1))
    const seeds = [...new Set([...first, ...FIXED_SEEDS.map(([seed]) => seed)])]
    const results = await runSeeds(seeds, { jobs, keepGoing: true })
    assertAllHeld(results)
    assert.equal(results.length, seeds.length)
    const sums = sumAdversity(results)
    for (const kind of ADVERSITY) {
      assert.ok((sums[kind] ?? 0) >= TEST_SEEDS / 10, `${kind} happened ${sums[kind]} times`)
    }
    const heaps = results.flatMap(({ heapBytes }) => heapBytes ?? [])
    assert.ok(heaps.length > 0 && Math.max(...heaps) < MAX_HEAP_BYTES, `${heaps.join(' ')} bytes of heap`)
  })
})
