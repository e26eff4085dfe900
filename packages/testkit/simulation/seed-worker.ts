import { runSeed, type SeedResult } from './run-seed.ts'

// A process that runs the seeds it is sent, one after the other: see `run-seeds.ts`.

/** A result as it goes from process to process. */
export type PlainResult = Omit<SeedResult, 'logged'> & {
  /** What the process holds after the run, garbage collected; measured now and then. */
  readonly heapBytes: number | undefined
}

const MEASURED_EVERY = 10
let count = 0

function heapBytes(): number | undefined {
  if (++count % MEASURED_EVERY !== 0 || globalThis.gc === undefined) return undefined
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

process.on('message', (seed: string) => {
  void runSeed(seed).then((result) =>
    process.send?.({ ...result, logged: undefined, heapBytes: heapBytes() }),
  )
})
