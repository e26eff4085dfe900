import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { PlainResult } from './seed-worker.ts'

const WORKER = fileURLToPath(new URL('seed-worker.ts', import.meta.url))
/** Seeds after which a process makes room for a new one: databases of the dead wait for the garbage collector. */
const PER_PROCESS = 100

export interface RunSeedsOptions {
  /** Processes at once. */
  readonly jobs: number
  /** Told of each result as it comes. */
  readonly onResult?: (result: PlainResult) => void
  /** Goes on after a seed that failed; else no further one is begun. */
  readonly keepGoing?: boolean
}

async function ask(child: ChildProcess, seed: string): Promise<PlainResult> {
  const done = new AbortController()
  const { signal } = done
  const answered = once(child, 'message', { signal }) as Promise<[PlainResult]>
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the process that ran seed ${seed} ended with ${code}`)
  })
  child.send(seed)
  try {
    const [result] = await Promise.race([answered, ended])
    return result
  } finally {
    // Nobody listens to a process longer than it is asked.
    for (const waited of [answered, ended]) waited.catch(() => undefined)
    done.abort()
  }
}

/** How often each kind of adversity struck in several runs. */
export function sumAdversity(results: readonly Pick<PlainResult, 'adversity'>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { adversity } of results) {
    for (const [kind, count] of Object.entries(adversity)) sums[kind] = (sums[kind] ?? 0) + count
  }
  return sums
}

/** Runs seeds in several processes. @returns the results in the order of the seeds, as far as they were run */
export async function runSeeds(seeds: readonly string[], options: RunSeedsOptions): Promise<PlainResult[]> {
  const results: PlainResult[] = []
  let next = 0
  let hasFailed = false
  const start = (): ChildProcess =>
    fork(WORKER, { execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc'] })
  const work = async (): Promise<void> => {
    let child = start()
    for (let count = 1; next < seeds.length && (!hasFailed || options.keepGoing === true); count++) {
      const index = next++
      const result = await ask(child, seeds[index]!)
      results[index] = result
      hasFailed ||= result.broken.length > 0
      options.onResult?.(result)
      if (count % PER_PROCESS !== 0) continue
      child.kill()
      child = start()
    }
    child.kill()
  }
  await Promise.all(Array.from({ length: Math.min(options.jobs, seeds.length) }, work))
  return results.filter((result) => result !== undefined)
}
