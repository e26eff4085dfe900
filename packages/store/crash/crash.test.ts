import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { killWriterBackend, runCrashRounds } from './crash-suite.ts'
import type { CrashTotals } from './crash-suite.ts'

// Before the first test is registered: the runner ends a file whose tests are all done, whatever it still awaits.
const server = await sharedPostgres()

const ROUNDS = 10

function checkTotals(totals: CrashTotals): void {
  assert.ok(totals.acknowledged > ROUNDS, 'the child worked')
  assert.ok(totals.retried > 0, 'the kills hit writes in flight')
}

it('SQLite keeps every acknowledged write, once, through 10 kills under load', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-crash-'))
  const config = { kind: 'sqlite', path: join(folder, 'store.db') } as const
  checkTotals(await runCrashRounds({ config, rounds: ROUNDS, report: (line) => test.diagnostic(line) }))
  rmSync(folder, { recursive: true })
})

const skip = 'skip' in server && server.skip
it('PostgreSQL keeps every acknowledged write, once, through 10 kills under load', { skip }, async (test) => {
  if ('skip' in server) return
  const config = { kind: 'postgres', url: await server.createDatabase() } as const
  // Every second time the server's process dies as well, and it has to recover.
  const alsoKill = async (round: number): Promise<void> => {
    if (round % 2 === 0) await killWriterBackend(config)
  }
  checkTotals(
    await runCrashRounds({ config, rounds: ROUNDS, alsoKill, report: (line) => test.diagnostic(line) }),
  )
})
