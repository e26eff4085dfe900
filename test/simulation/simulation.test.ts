import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, it } from 'node:test'
import { runSeed } from '../../packages/testkit/simulation/run-seed.ts'
import { runSeeds } from '../../packages/testkit/simulation/run-seeds.ts'
import type { PlainResult } from '../../packages/testkit/simulation/seed-worker.ts'
import { FIXED_SEEDS, TEST_SEEDS } from './seeds.ts'

// Five whole servers, and mostly a hostile sixth, in one process each seed. `npm run test:simulation` runs more of the
// same; a seed that fails there is entered into `seeds.ts`.

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

  it('holds together at every seed that found a fault once', async () => {
    const seeds = FIXED_SEEDS.map(([seed]) => seed)
    assertAllHeld(await runSeeds(seeds, { jobs, keepGoing: true }))
  })

  it(`holds together at ${TEST_SEEDS} seeds, in which everything happens that can`, async () => {
    const seeds = Array.from({ length: TEST_SEEDS }, (_, i) => String(i + 1))
    const results = await runSeeds(seeds, { jobs, keepGoing: true })
    assertAllHeld(results)
    assert.equal(results.length, TEST_SEEDS)
    const deeds = new Set(results.flatMap((result) => result.deeds.map(([name]) => name)))
    for (const name of ['crash', 'partition', 'cutOneWay', 'changeWeather', 'jumpClock'])
      assert.ok(deeds.has(name), name)
    const hostile = [...deeds].filter((name) => name.startsWith('hostile: '))
    assert.ok(hostile.length >= 9, hostile.join('\n'))
  })
})
