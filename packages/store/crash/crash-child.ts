import { writeSync } from 'node:fs'
import { systemClock, systemRandom } from '../clock/system.ts'
import { entry, NOTES, suiteMigrations, suiteSigner, THINGS } from '../db/conformance/fixture.ts'
import type { Write } from '../db/database.ts'
import { openDatabase } from '../db/open.ts'
import type { DatabaseConfig } from '../db/open.ts'

// Commits under load until it is killed; every acknowledged key is on the pipe before the next turn begins.
//   argv: {"config", "round", "retry": keys without an answer, "callers", "count": end after so many}

export interface CrashOrder {
  readonly config: DatabaseConfig
  readonly round: number
  /** Keys of earlier rounds that were never acknowledged: a client would send them again. */
  readonly retry: readonly number[]
  readonly callers: number
  /** End by itself after so many writes. */
  readonly count?: number
}

/** Keys of a round begin at `round` times this. */
export const KEYS_PER_ROUND = 1_000_000

function writeOf(key: number, round: number, version: number | undefined): Write {
  const pdu = { head: `{"content":{"key":${key}},`, tail: '"type":"m.test"}', signed: `{"key":${key}}` }
  const heads =
    version === undefined
      ? []
      : [{ roomNid: 1, expectVersion: version, version: version + 1, head: `{"last":${key}}` }]
  return {
    entries: [entry()],
    heads,
    steps: [
      // The name tells attempts apart; only the key of the transaction keeps the second one out.
      {
        into: THINGS,
        values: [{ position: 0 }, `${heads.length > 0 ? 'head' : 'free'} ${key} ${round}`, key, pdu],
      },
      { into: NOTES, values: ['transaction', String(key), round] },
    ],
  }
}

async function run(order: CrashOrder): Promise<void> {
  const { config, round, retry, callers, count = Infinity } = order
  await using db = await openDatabase(config, {
    clock: systemClock,
    random: systemRandom,
    signer: suiteSigner,
    migrations: suiteMigrations,
  })
  const say = (text: string): void => void writeSync(1, `${text}\n`)
  const [room] = await db.query<{ version: number }>('SELECT version FROM rooms WHERE nid = 1', [])
  if (room === undefined) {
    const sql = `INSERT INTO rooms VALUES (1, '!room', '12', 0, '{}')`
    await db.commit({ entries: [], steps: [{ sql, params: [] }] })
  }
  let version = room?.version ?? 0
  const send = async (key: number, write: Write): Promise<void> => {
    say(`sent ${key}`)
    const result = await db.commit(write)
    say(result.ok ? `ack ${key} ${result.positions[0]}` : `refused ${key} ${result.reason}`)
  }
  await Promise.all(retry.map((key) => send(key, writeOf(key, round, undefined))))
  let next = round * KEYS_PER_ROUND
  const end = next + count
  const caller = async (): Promise<void> => {
    while (next < end) {
      const key = next++
      // Some writes repeat an earlier key, so that batches are replayed, too.
      const repeat = key % 100 === 53
      await send(
        repeat ? key - 3 : key,
        writeOf(repeat ? key - 3 : key, round, repeat ? undefined : version++),
      )
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

if (import.meta.main) await run(JSON.parse(process.argv[2]!) as CrashOrder)
