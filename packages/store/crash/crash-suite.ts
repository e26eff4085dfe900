import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock, systemRandom } from '../clock/system.ts'
import { accepted, one, suiteMigrations, suiteSigner, thing } from '../db/conformance/fixture.ts'
import { openDatabase } from '../db/open.ts'
import type { DatabaseConfig, OpenDatabase } from '../db/open.ts'
import type { CrashOrder } from './crash-child.ts'

export interface CrashRun {
  readonly config: DatabaseConfig
  readonly rounds: number
  /** Called at the moment of the kill, for what is to die with the process. */
  readonly alsoKill?: (round: number) => Promise<void>
  readonly report?: (line: string) => void
}

export interface CrashTotals {
  readonly acknowledged: number
  readonly retried: number
  readonly foundUnacknowledged: number
}

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const CALLERS = 24

interface RoundResult {
  readonly acknowledged: ReadonlyMap<number, number>
  /** Keys that were refused because they had been applied before. */
  readonly duplicate: ReadonlySet<number>
  readonly unanswered: readonly number[]
}

/**
 * Kills a process that commits under load, again and again, and checks after each time that everything it had
 * acknowledged is there, nothing was applied twice or in part, and the log goes on where it was.
 */
export async function runCrashRounds(run: CrashRun): Promise<CrashTotals> {
  const acknowledged = new Map<number, number>()
  let retry: readonly number[] = []
  let [retried, foundUnacknowledged] = [0, 0]
  for (let round = 1; round <= run.rounds; round++) {
    const delay = Math.floor(Math.random() * 250)
    const result = await oneRound({ config: run.config, round, retry, callers: CALLERS }, delay, run.alsoKill)
    for (const [key, position] of result.acknowledged) acknowledged.set(key, position)
    retried += retry.length
    const db = await openPatiently(run.config)
    try {
      foundUnacknowledged += await check(db, acknowledged, result)
    } finally {
      await db[Symbol.asyncDispose]()
    }
    run.report?.(
      `round ${round}: killed after ${delay} ms, ${result.acknowledged.size} acknowledged, ${result.unanswered.length} in flight`,
    )
    retry = result.unanswered
  }
  return { acknowledged: acknowledged.size, retried, foundUnacknowledged }
}

/** Starts the child, kills it `delay` ms after its first acknowledgement, and reads what it said until then. */
async function oneRound(
  order: CrashOrder,
  delay: number,
  alsoKill: CrashRun['alsoKill'],
): Promise<RoundResult> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const sent = new Set<number>()
  const acknowledged = new Map<number, number>()
  const duplicate = new Set<number>()
  let killing: Promise<void> | undefined
  const kill = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, delay))
    child.kill('SIGKILL')
    await alsoKill?.(order.round)
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, key, position] = line.split(' ')
    if (what === 'sent') sent.add(Number(key))
    else if (what === 'ack') {
      // The kill may cut the last line short; what was not read whole counts as unanswered.
      if (position === undefined || !/^\d+$/.test(position)) continue
      assert.ok(!acknowledged.has(Number(key)), `key ${key} was acknowledged twice`)
      acknowledged.set(Number(key), Number(position))
      killing ??= kill()
    } else if (what === 'refused' && position === 'conflict') duplicate.add(Number(key))
  }
  await ended
  assert.ok(killing !== undefined, 'the child ended before it acknowledged anything')
  await killing
  const unanswered = [...sent].filter((key) => !acknowledged.has(key) && !duplicate.has(key))
  return { acknowledged, duplicate, unanswered }
}

async function openPatiently(config: DatabaseConfig): Promise<OpenDatabase> {
  const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }
  for (let attempt = 0; ; attempt++) {
    try {
      return await openDatabase(config, deps)
    } catch (error) {
      // PostgreSQL refuses connections while it recovers.
      if (config.kind === 'sqlite' || attempt === 2000) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** @returns how many of the unanswered writes were applied all the same */
async function check(
  db: OpenDatabase,
  acknowledged: ReadonlyMap<number, number>,
  { duplicate, unanswered }: RoundResult,
): Promise<number> {
  const things = await db.queryLarge<{ nid: number; name: string; amount: number }>(
    `SELECT nid, name, amount FROM things WHERE amount IS NOT NULL ORDER BY nid`,
    [],
  )
  const positions = new Map(things.map((row) => [row.amount, row.nid]))
  assert.equal(positions.size, things.length, 'no key was applied twice')
  for (const [key, position] of acknowledged) {
    assert.equal(positions.get(key), position, `acknowledged key ${key} is where its answer said`)
  }
  for (const key of duplicate) assert.ok(positions.has(key), `key ${key} was refused as known, and is there`)
  const noted = await one(db, `SELECT COUNT(*) AS n FROM notes WHERE owner = 'transaction'`)
  assert.equal(noted['n'], things.length, 'no write was applied in part')
  const log = await one(db, 'SELECT position, (SELECT COUNT(*) FROM things) AS n FROM log_state')
  assert.equal(log['n'], log['position'], 'the log has no gap')
  const room = await one(db, 'SELECT version FROM rooms WHERE nid = 1')
  assert.equal(
    room['version'],
    things.filter((row) => row.name.startsWith('head')).length,
    'the head fits the log',
  )
  if (db.dialect === 'sqlite') {
    assert.deepEqual(await db.query('PRAGMA integrity_check', []), [{ integrity_check: 'ok' }])
  }
  const next = await accepted(db, thing(`opened at ${String(log['position'])}`))
  assert.deepEqual(next.positions, [Number(log['position']) + 1], 'positions go on')
  return unanswered.filter((key) => positions.has(key)).length
}

/** Kills the PostgreSQL process that serves the writer, after which the server recovers from its WAL. */
export async function killWriterBackend(config: DatabaseConfig): Promise<void> {
  if (config.kind !== 'postgres') return
  const { default: postgres } = await import('postgres')
  const sql = postgres(config.url, { max: 1, fetch_types: false, onnotice: () => undefined })
  try {
    const rows = await sql`SELECT pid FROM pg_stat_activity WHERE application_name = 'causeway-writer'`
    for (const row of rows) process.kill(Number(row['pid']), 'SIGKILL')
  } finally {
    await sql.end({ timeout: 1 })
  }
}
