import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { runServerCrashRounds, type ServerCrashTotals } from './crash-suite.ts'

// Before the first test is registered: the runner ends a file whose tests are all done, whatever it still awaits.
const server = await sharedPostgres()

const ROUNDS = 10

function checkTotals(totals: ServerCrashTotals): void {
  assert.ok(totals.acknowledged >= ROUNDS * 5, `only ${totals.acknowledged} sends were answered`)
  assert.ok(totals.retried > 0, 'the kills hit sends in flight')
  assert.ok(totals.repeated >= ROUNDS, 'sends of before a kill were sent again after it')
  assert.ok(totals.tokensOverKill >= ROUNDS, 'tokens of before a kill were used after it')
}

it('SQLite: a send is applied once whatever is killed, and sync tokens stay valid, through 10 kills of the server', async (test) => {
  const totals = await runServerCrashRounds({ rounds: ROUNDS, report: (line) => test.diagnostic(line) })
  checkTotals(totals)
})

const skip = 'skip' in server && server.skip
it('PostgreSQL: the same', { skip }, async (test) => {
  if ('skip' in server) return
  const databaseUrl = await server.createDatabase()
  checkTotals(
    await runServerCrashRounds({ databaseUrl, rounds: ROUNDS, report: (line) => test.diagnostic(line) }),
  )
})
