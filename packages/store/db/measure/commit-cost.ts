import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash, hash } from 'node:crypto'
import { systemClock, systemRandom } from '../../clock/system.ts'
import type { EventEntry } from '../../log/entry.ts'
import type { TableShape, Write } from '../database.ts'
import { openDatabase } from '../open.ts'
import type { DatabaseConfig } from '../open.ts'

// What a commit costs: event, transaction row and head of one room, signed by the writer, by 32 callers at once.
//   node packages/store/db/measure/commit-cost.ts [postgres URL] [seconds] [callers]

const events: TableShape = {
  name: 'events',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'event_id', type: 'text' },
    { name: 'room_nid', type: 'int' },
    { name: 'depth', type: 'int' },
    { name: 'state_root', type: 'int' },
    { name: 'state_before', type: 'int' },
    { name: 'flags', type: 'int' },
    { name: 'state_nid', type: 'int' },
    { name: 'json', type: 'bytes' },
  ],
}
const transactions: TableShape = {
  name: 'client_transactions',
  columns: [
    { name: 'key', type: 'bytes' },
    { name: 'created_ts', type: 'int' },
    { name: 'event_nid', type: 'int' },
  ],
}

function messageWrite(number: number): Write {
  const eventId = `$${hash('sha256', `event ${number}`, 'base64url')}`
  const head = `{"auth_events":["$${'a'.repeat(43)}","$${'b'.repeat(43)}"],"content":{"body":"message ${number} with some words in it","msgtype":"m.text"},"depth":${number},"hashes":{"sha256":"${'h'.repeat(43)}"},"origin_server_ts":1700000000000,"prev_events":["$${'c'.repeat(43)}"],"room_id":"!${'r'.repeat(43)}","sender":"@alice:example.org",`
  const signed = head.replace(/"content":\{[^}]*\}/, '"content":{}') + '"type":"m.room.message"}'
  const key = new Uint8Array(createHash('sha256').update(`txn ${number}`).digest())
  return {
    entries: [{ kind: 'event', position: 0, event: {} } as unknown as EventEntry],
    heads: [
      { roomNid: 1, expectVersion: number, version: number + 1, head: `{"extremities":["${eventId}"]}` },
    ],
    steps: [
      {
        into: events,
        values: [
          { position: 0 },
          eventId,
          1,
          number,
          1,
          1,
          0,
          0,
          { head, tail: '"type":"m.room.message"}', signed },
        ],
      },
      { into: transactions, values: [key, 1_700_000_000_000, { position: 0 }] },
    ],
  }
}

const [url, seconds = '3', callers = '32'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'commit-cost-'))
const config: DatabaseConfig =
  url !== undefined && url !== 'sqlite'
    ? { kind: 'postgres', url }
    : { kind: 'sqlite', path: join(folder, 'store.db') }
const signer = { serverName: 'example.org', keyId: 'ed25519:a', privateKey: systemRandom.bytes(32) }
{
  await using db = await openDatabase(config, { clock: systemClock, random: systemRandom, signer })
  await db.commit({
    entries: [],
    steps: [{ sql: `INSERT INTO rooms VALUES (1, '!room', '12', 0, '{}')`, params: [] }],
  })
  let next = 0
  let writing = 0
  const latencies: number[] = []
  const caller = async (until: number): Promise<void> => {
    while (systemClock.monotonic() < until) {
      const start = process.threadCpuUsage()
      const write = messageWrite(next++)
      const built = process.threadCpuUsage(start)
      writing += built.user + built.system
      const from = systemClock.monotonic()
      const result = await db.commit(write)
      if (!result.ok) throw new Error(`refused: ${result.reason}`)
      latencies.push(systemClock.monotonic() - from)
    }
  }
  for (const [phase, length] of [
    ['warm-up', 1],
    ['measured', Number(seconds)],
  ] as const) {
    latencies.length = writing = 0
    const batches = db.stats.batches
    const all = process.cpuUsage()
    const main = process.threadCpuUsage()
    const begin = systemClock.monotonic()
    await Promise.all(Array.from({ length: Number(callers) }, () => caller(begin + length * 1000)))
    const elapsed = (systemClock.monotonic() - begin) / 1000
    const allUsed = process.cpuUsage(all)
    const mainUsed = process.threadCpuUsage(main)
    const count = latencies.length
    const perWrite = (micros: number): string => (micros / count).toFixed(1)
    const mainCpu = mainUsed.user + mainUsed.system - writing
    const total = allUsed.user + allUsed.system - writing
    const sorted = latencies.toSorted((a, b) => a - b)
    console.log(
      `${phase}: ${count} commits, ${(count / elapsed).toFixed(0)}/s, ${(count / (db.stats.batches - batches)).toFixed(1)} per batch, ` +
        `CPU µs per commit: main ${perWrite(mainCpu)}, other threads ${perWrite(total - mainCpu)}, together ${perWrite(total)} ` +
        `(building the write, not counted: ${perWrite(writing)}); p50 ${sorted[count >> 1]?.toFixed(2)} ms, p99 ${sorted[Math.floor(count * 0.99)]?.toFixed(2)} ms`,
    )
  }
}
rmSync(folder, { recursive: true })
