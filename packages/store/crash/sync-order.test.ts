import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import type { PostgresServer } from '@causeway/testkit/postgres.ts'
import { systemClock, systemRandom } from '../clock/system.ts'
import { accepted, suiteMigrations, suiteSigner, thing } from '../db/conformance/fixture.ts'
import { openDatabase } from '../db/open.ts'
import type { CrashOrder } from './crash-child.ts'
import { checkSyncOrder } from './sync-order-suite.ts'

// A killed process loses nothing even when nothing was synced, since the page cache survives it. That the disk
// was waited for shows only in the order of the system calls.

const WRITES = 20
const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const CALLS = 'trace=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sendto,sendmsg'

/** Why strace cannot be used here, if so: it is not installed, or tracing is forbidden. */
function straceMissing(): string | false {
  const probe = spawnSync('strace', ['-e', 'trace=none', 'true'], { encoding: 'utf8' })
  if (probe.error !== undefined) return 'strace is not installed'
  return probe.status === 0 ? false : `strace does not work here: ${probe.stderr.trim().split('\n')[0]}`
}

const skip = straceMissing()

describe('the disk is waited for', () => {
  it('the reader of traces finds an acknowledgement that came before its sync', () => {
    const isLog = (path: string): boolean => path.endsWith('-wal')
    const isAck = (call: string, args: string): boolean => call === 'write' && args.includes('"ack ')
    const write = '11 pwrite64(20</x/db-wal>, "..."..., 4096, 32) = 4096\n'
    const ack = '10 write(1<pipe:[1]>, "ack 1 1\\n", 8) = 8\n'
    const sync = '11 fsync(20</x/db-wal>) = 0\n'
    assert.deepEqual(checkSyncOrder(write + sync + ack, isLog, isAck), {
      acknowledgements: 1,
      writes: 1,
      syncs: 1,
    })
    assert.throws(() => checkSyncOrder(write + ack + sync, isLog, isAck), /not synced/)
    const started = '11 fdatasync(20</x/db-wal> <unfinished ...>\n'
    const done = '11 <... fdatasync resumed>) = 0\n'
    assert.throws(() => checkSyncOrder(write + started + ack + done, isLog, isAck), /not synced/)
    assert.equal(checkSyncOrder(write + started + done + ack, isLog, isAck).syncs, 1)
    const failed = '11 <... fdatasync resumed>) = -1 EIO (Input/output error)\n'
    assert.throws(() => checkSyncOrder(write + started + failed + ack, isLog, isAck), /not synced/)
  })

  it('SQLite: the WAL is synced between its last write and the acknowledgement', { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-sync-'))
    const output = join(folder, 'trace')
    const config = { kind: 'sqlite', path: join(folder, 'store.db') } as const
    const order: CrashOrder = { config, round: 1, retry: [], callers: 1, count: WRITES }
    const command = [process.execPath, CHILD, JSON.stringify(order)]
    const run = spawnSync('strace', ['-f', '-y', '-s', '64', '-e', CALLS, '-o', output, ...command], {
      encoding: 'utf8',
    })
    assert.equal(run.status, 0, run.stderr)
    const seen = checkSyncOrder(
      readFileSync(output, 'utf8'),
      (path) => path.endsWith('store.db-wal'),
      (call, args) => call === 'write' && args.includes('"ack '),
    )
    assert.equal(seen.acknowledgements, WRITES)
    assert.ok(seen.writes >= WRITES && seen.syncs >= WRITES, JSON.stringify(seen))
    rmSync(folder, { recursive: true })
  })

  it('PostgreSQL: its WAL is synced between its last write and the answer to COMMIT', async (test) => {
    const server = await sharedPostgres()
    const reason = 'skip' in server ? server.skip : skip
    if ('skip' in server || reason !== false) {
      test.skip(String(reason))
      return
    }
    const folder = mkdtempSync(join(tmpdir(), 'causeway-sync-'))
    const output = join(folder, 'trace')
    const config = { kind: 'postgres', url: await server.createDatabase() } as const
    const deps = {
      clock: systemClock,
      random: systemRandom,
      signer: suiteSigner,
      migrations: suiteMigrations,
    }
    const db = await openDatabase(config, deps)
    await accepted(db, thing('before'))
    const strace = await attach(await processes(server), output)
    for (let index = 0; index < WRITES; index++) await accepted(db, thing(`traced ${index}`))
    const ended = once(strace, 'exit')
    strace.kill('SIGINT')
    await ended
    await db[Symbol.asyncDispose]()
    const seen = checkSyncOrder(
      readFileSync(output, 'utf8'),
      (path) => path.includes('/pg_wal/'),
      (call, args) => call.startsWith('send') && args.includes('COMMIT'),
    )
    assert.equal(seen.acknowledgements, WRITES)
    assert.ok(seen.writes >= WRITES && seen.syncs >= WRITES, JSON.stringify(seen))
    rmSync(folder, { recursive: true })
  })
})

/** The server's processes that may write its WAL: all backends, and the WAL writer. */
async function processes(server: PostgresServer): Promise<number[]> {
  const children = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/stat`),
  )
  return children.map(Number).filter((pid) => {
    try {
      // The name in brackets may hold spaces; the parent is the second field after it.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === server.pid
    } catch {
      return false
    }
  })
}

async function attach(pids: readonly number[], output: string): Promise<ReturnType<typeof spawn>> {
  const args = [
    '-f',
    '-y',
    '-s',
    '4096',
    '-e',
    CALLS,
    '-o',
    output,
    ...pids.flatMap((pid) => ['-p', String(pid)]),
  ]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  // One line per process, once it is traced.
  let text = ''
  let attached = 0
  for await (const chunk of strace.stderr) {
    text += String(chunk)
    attached = text.match(/attached/g)?.length ?? 0
    // The server's own helpers come and go: one may have ended since it was looked up.
    attached += text.match(/No such process/g)?.length ?? 0
    if (attached === pids.length || /error|not permitted/i.test(text)) break
  }
  assert.equal(attached, pids.length, text)
  return strace
}
