import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killWriterBackend, runCrashRounds } from '../packages/store/crash/crash-suite.ts'
import type { CrashRun } from '../packages/store/crash/crash-suite.ts'
import { startPostgres } from '../packages/testkit/postgres.ts'
import { runServerCrashRounds, type ServerCrashRun } from '../test/crash/crash-suite.ts'

// `npm run test:crash [rounds]`: kills a process that writes to the store, and then the whole server with clients that send
// and sync, 100 times each on each database, and checks that nothing acknowledged is missing, nothing is there twice and
// every sync token goes on. 10 rounds of the same are part of `npm test`.

const rounds = Number(process.argv[2] ?? 100)

async function crash(name: string, run: Omit<CrashRun, 'rounds'>): Promise<void> {
  const totals = await runCrashRounds({ ...run, rounds, report: (line) => console.log(`${name} ${line}`) })
  console.log(
    `${name}: ${rounds} kills, ${totals.acknowledged} acknowledged writes all there, ${totals.retried} sent again ` +
      `after no answer, of which ${totals.foundUnacknowledged} had been applied and were not applied twice`,
  )
}

async function crashServer(name: string, run: Omit<ServerCrashRun, 'rounds'>): Promise<void> {
  const totals = await runServerCrashRounds({
    ...run,
    rounds,
    report: (line) => console.log(`${name} ${line}`),
  })
  console.log(
    `${name}, whole server: ${rounds} kills, ${totals.acknowledged} answered sends all there, ${totals.retried} sent again after ` +
      `no answer and ${totals.repeated} after one, none twice; ${totals.tokensOverKill} sync tokens went on over a kill`,
  )
}

const folder = mkdtempSync(join(tmpdir(), 'causeway-crash-'))
await crash('SQLite', { config: { kind: 'sqlite', path: join(folder, 'store.db') } })
rmSync(folder, { recursive: true })
await crashServer('SQLite', {})

const server = await startPostgres()
if ('skip' in server) console.log(`PostgreSQL: skipped, ${server.skip}`)
else {
  const config = { kind: 'postgres', url: await server.createDatabase() } as const
  const alsoKill = async (round: number): Promise<void> => {
    if (round % 2 === 0) await killWriterBackend(config)
  }
  await crash('PostgreSQL', { config, alsoKill })
  await crashServer('PostgreSQL', { databaseUrl: await server.createDatabase() })
  await server.stop()
}
