import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { runSeed } from '../packages/testkit/simulation/run-seed.ts'
import { runSeeds, sumAdversity } from '../packages/testkit/simulation/run-seeds.ts'

// `npm run test:simulation -- [--seeds 2000] [--from 1] [--keep-going] [--jobs n]`: runs that many simulated federations and
// prints the first seed that failed. `--seed x` runs one again, with everything that its servers log.

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    'keep-going': { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
})

async function runOne(seed: string): Promise<boolean> {
  const { broken, trace, steps, requests, acknowledged, adversity, logged } = await runSeed(seed, {
    verbose: true,
  })
  console.log({ seed, trace, steps, requests, acknowledged, adversity, logged, broken })
  return broken.length === 0
}

async function runMany(): Promise<boolean> {
  const from = Number(values.from)
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => String(from + i))
  const startedAt = performance.now()
  let done = 0
  const results = await runSeeds(seeds, {
    jobs: Number(values.jobs),
    keepGoing: values['keep-going'],
    onResult: ({ seed, broken }) => {
      done++
      for (const what of broken.slice(0, 5)) console.log(`seed ${seed}: ${what}`)
      if (done % 100 === 0)
        console.log(`${done} seeds after ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
    },
  })
  const seconds = (performance.now() - startedAt) / 1000
  const failed = results.filter(({ broken }) => broken.length > 0)
  const steps = results.reduce((sum, result) => sum + result.steps, 0)
  console.log(
    `${results.length} seeds in ${seconds.toFixed(0)} s (${(seconds / results.length).toFixed(2)} s each), ` +
      `${steps} steps, ${results.reduce((sum, result) => sum + result.acknowledged, 0)} acknowledged events, ` +
      `${failed.length} seeds failed${failed.length === 0 ? '' : `; the first: ${failed[0]!.seed}`}`,
  )
  console.log('what happened:', sumAdversity(results))
  console.log(
    `at most ${Math.max(...results.map(({ queriesPerAnswer }) => queriesPerAnswer)).toFixed(1)} queries for each request, ` +
      `${(Math.max(0, ...results.map(({ heapBytes = 0 }) => heapBytes)) / 2 ** 20).toFixed(0)} MiB of heap after a run`,
  )
  return failed.length === 0
}

const passed = values.seed === undefined ? await runMany() : await runOne(values.seed)
process.exitCode = passed ? 0 : 1
