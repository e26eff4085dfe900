import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
/** Messages that each round adds. */
const EACH = 8

/** What each round is killed at: something just scheduled, something just sent. */
type Moment = { readonly at: 'scheduled' | 'sent'; readonly count: number }
const MOMENTS: readonly Moment[] = [
  { at: 'scheduled', count: 3 },
  { at: 'sent', count: 1 },
  { at: 'sent', count: 4 },
  { at: 'scheduled', count: 6 },
]

/** Runs the server until the moment, or until everything was sent; answers the texts of the room's messages then. */
async function runUntil(
  args: readonly string[],
  moment: Moment | undefined,
  before: number,
): Promise<string[] | undefined> {
  const child = spawn(process.execPath, [WORKER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  // What earlier rounds scheduled is asked for again, and is scheduled no second time.
  let seen = moment?.at === 'scheduled' ? -before : 0
  let texts: string[] | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === moment?.at && ++seen >= moment.count) child.kill('SIGKILL')
    if (!line.startsWith('[')) continue
    texts = JSON.parse(line) as string[]
    child.kill('SIGKILL')
  }
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  return texts
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(`${name}: kill -9 loses no delayed event, and none is sent twice`, { skip }, async () => {
    await using database = await create()
    const folder = await mkdtemp(path.join(tmpdir(), 'delayed-crash-'))
    try {
      const { config } = database
      const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
      const more = JSON.stringify({
        database: { pool_size: 2, ...where },
        delayed_events: { max_delay: 60_000, max_per_user: 1_000 },
      })
      let texts: string[] | undefined
      for (const [index, moment] of [...MOMENTS, undefined].entries()) {
        const total = EACH * (index + 1)
        texts = await runUntil([folder, more, String(total)], moment, total - EACH)
      }
      const wanted = Array.from({ length: EACH * (MOMENTS.length + 1) }, (_, number) => `m${number}`)
      assert.deepEqual(texts?.toSorted(), wanted.toSorted())
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
}
