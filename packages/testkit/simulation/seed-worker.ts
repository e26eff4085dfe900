import { runSeed, type SeedResult } from './run-seed.ts'

// A process that runs the seeds it is sent, one after the other: see `run-seeds.ts`.

/** A result as it goes from process to process. */
export type PlainResult = Omit<SeedResult, 'deeds' | 'logged'> & {
  readonly deeds: readonly (readonly [string, number])[]
}

process.on('message', (seed: string) => {
  void runSeed(seed).then((result) =>
    process.send?.({ ...result, logged: undefined, deeds: [...result.deeds] }),
  )
})
