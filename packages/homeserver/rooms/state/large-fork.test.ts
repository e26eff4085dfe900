import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { openTestEngine } from '../test-engine.ts'
import type { ResolveCost } from './test-resolve-worker.ts'
import { makeFork } from './test-fork.ts'

const SIZE = 5_000
const run = promisify(execFile)

async function resolveCold(version: string): Promise<ResolveCost[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-fork-'))
  const file = path.join(folder, 'fork.db')
  try {
    const { engine, ...opened } = await openTestEngine({ kind: 'sqlite', path: file }, 256 * 1024 * 1024)
    const { roomId, roots } = await makeFork(engine, version, SIZE)
    await engine.queue.idle()
    await opened[Symbol.asyncDispose]()
    const worker = path.join(import.meta.dirname, 'test-resolve-worker.ts')
    const { stdout } = await run(process.execPath, [worker, file, roomId, ...roots.map(String)])
    return JSON.parse(stdout) as ResolveCost[]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

describe(`a fork of ${SIZE} against ${SIZE} state events`, () => {
  for (const version of ['11', '12']) {
    it(`is resolved, from the disk, in room version ${version}`, async (t) => {
      const costs = await resolveCold(version)
      t.diagnostic(JSON.stringify(costs))
      // Events of the same rank: the later ones hold, and those are all on one branch.
      for (const { differs } of costs) assert.deepEqual(differs, [SIZE, 0])
      // Of several tries the best counts: on a crowded machine even CPU time grows.
      const least = (of: keyof Omit<ResolveCost, 'differs'>): number =>
        Math.min(...costs.map((cost) => cost[of]))
      assert.ok(least('cpuMs') <= 1_000, `${least('cpuMs')} ms of CPU`)
      assert.ok(least('heldMs') <= 150, `nobody else had a turn for ${least('heldMs')} ms of CPU`)
      assert.ok(least('leftHeapMb') <= 60, `${least('leftHeapMb')} MB are kept of the room`)
      assert.ok(least('peakRssMb') <= 60, `the process grew by ${least('peakRssMb')} MB`)
    })
  }
})
