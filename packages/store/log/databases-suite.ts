import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createLocalBus } from '../bus/local.ts'
import type { Bus } from '../bus/local.ts'
import { systemClock, systemRandom } from '../clock/system.ts'
import { openDatabase } from '../db/open.ts'
import type { DatabaseConfig, OpenDatabase } from '../db/open.ts'
import { openLog } from './log.ts'
import type { Log } from './log.ts'

/** Test support: an empty database that lasts until it is disposed of, to be opened as often as a test likes. */
export interface TestDatabase extends AsyncDisposable {
  readonly config: DatabaseConfig
}

export interface TestDriver {
  readonly name: string
  /** Why its tests cannot run here. */
  readonly skip: string | false
  readonly create: () => Promise<TestDatabase>
}

/** Every database that the store's tests run on. Starts a PostgreSQL for this test process. */
export async function findTestDrivers(): Promise<TestDriver[]> {
  const { sharedPostgres } = await import('@causeway/testkit/postgres.ts')
  const server = await sharedPostgres()
  return [
    { name: 'SQLite', skip: false, create: createSqlite },
    {
      name: 'PostgreSQL',
      skip: 'skip' in server && server.skip,
      create: async () => {
        if ('skip' in server) throw new Error(server.skip)
        const url = await server.createPreparedDatabase()
        return { config: { kind: 'postgres', url }, [Symbol.asyncDispose]: async () => undefined }
      },
    },
  ]
}

async function createSqlite(): Promise<TestDatabase> {
  const folder = await mkdtemp(path.join(tmpdir(), 'store-'))
  return {
    config: { kind: 'sqlite', path: path.join(folder, 'test.db') },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

export interface TestLog extends AsyncDisposable {
  readonly db: OpenDatabase
  readonly log: Log
  readonly bus: Bus
}

/** Opens database and log, with a small ring so that tests can fall behind it. */
export async function openTestLog(config: DatabaseConfig, maxEntries = 100): Promise<TestLog> {
  const bus = createLocalBus((error) => {
    throw error
  })
  const signer = { serverName: 'a.example', keyId: 'ed25519:1', privateKey: new Uint8Array(32) }
  const deps = { clock: systemClock, random: systemRandom, signer }
  const { db, log } = await openLog((onCommit) => openDatabase(config, { ...deps, onCommit }), {
    bus,
    ring: { maxEntries, maxBytes: 1e7 },
    maxChangedKeys: 50,
  })
  return { db, log, bus, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() }
}
