import { CommitQueue } from './commit-queue.ts'
import { migrationsFolder, postgresWriterFile } from './program-files.ts'
import type { CommitStats } from './commit-queue.ts'
import type { CommitResult, ReadParam, Row, Write } from './database.ts'
import { loadMigrations, migrate } from './migrate.ts'
import type { DatabaseConfig, DatabaseDeps, OpenDatabase } from './open.ts'
import { PostgresReader } from './reader/postgres-reader.ts'
import { messageOf } from './writer/outcome.ts'
import { createPduSigner } from './signer.ts'
import { GrowingWriter } from './writer/growing-writer.ts'
import { PostgresSession } from './writer/postgres-session.ts'
import { PostgresWriter } from './writer/postgres-writer.ts'
import { WriterThread } from './writer/writer-thread.ts'

/** Any number, the same in every process: whoever holds this advisory lock may migrate. */
const MIGRATION_LOCK = 4_257_193_001
const READ_CONNECTIONS = 4
/** A fifth of the main thread's time goes into 500 writes a second. A burst of some seconds is over before a thread helps. */
const BUSY = { writes: 2000, withinMs: 10_000 }

type PostgresConfig = DatabaseConfig & { kind: 'postgres' }

/** Opens a PostgreSQL database; see `openDatabase`. */
export async function openPostgres(config: PostgresConfig, deps: DatabaseDeps): Promise<OpenDatabase> {
  await using undo = new AsyncDisposableStack()
  const late: { queue?: CommitQueue } = {}
  // All three connect at the same time; nothing is read or written before the schema is there and the database ours.
  const starting = startWriter(config, deps, (error) => late.queue?.fail(error))
  // Should it fail before the schema does, that is told where it is awaited.
  const settled = starting.catch(() => undefined)
  undo.defer(async () => (await settled)?.close())
  const reader = new PostgresReader(config.url, config.poolSize ?? READ_CONNECTIONS, deps.clock)
  undo.defer(() => reader.close())
  reader.connect()
  const epoch = await prepareSchema(config.url, deps)
  const writer = await starting
  const { clock, onCommit, onFailure } = deps
  const queue = (late.queue = new CommitQueue({ clock, writer, onCommit, onFailure }))
  return new PostgresDatabase(queue, reader, epoch, undo.move())
}

async function startWriter(
  { url, shared }: PostgresConfig,
  { signer, clock, log }: DatabaseDeps,
  onDeath: (error: Error) => void,
): Promise<GrowingWriter> {
  const role = shared === true ? 'shared' : 'alone'
  const own = await PostgresWriter.open(url, createPduSigner(signer), role).catch((error: unknown) => {
    throw new Error(`PostgreSQL (${placeOf(url)}) cannot be opened: ${messageOf(error)}`, { cause: error })
  })
  const data = { url, signer, role: shared === true ? 'shared' : 'successor' }
  const startThread = (onEnd: (error: Error) => void): Promise<WriterThread> =>
    WriterThread.start(postgresWriterFile, data, 'store-writer', onEnd)
  return new GrowingWriter(own, { busy: BUSY, clock, startThread, onDeath, log })
}

/** Creates or upgrades the schema, one process at a time, and the row of the log; returns the epoch. */
async function prepareSchema(url: string, deps: DatabaseDeps): Promise<string> {
  const session = await PostgresSession.open(url, 'causeway-migrate').catch((error: unknown) => {
    throw new Error(`PostgreSQL (${placeOf(url)}) cannot be opened: ${messageOf(error)}.`, { cause: error })
  })
  const run = async (sql: string): Promise<Row[]> => [...(await session.send(sql)).rows]
  try {
    await Promise.all([
      checkServer(run, deps),
      run(`SELECT pg_advisory_lock(${MIGRATION_LOCK}) IS NULL AS locked`),
      // The first commit that anybody waits for takes all of those before it to the disk.
      run('SET synchronous_commit = off'),
    ])
    const migrations = loadMigrations(deps.migrations ?? migrationsFolder)
    await migrate({ dialect: 'postgres', run }, migrations, deps.clock.now())
    const epoch = deps.random.token(12)
    const [, , rows] = await Promise.all([
      run('SET synchronous_commit = on'),
      run(`INSERT INTO log_state VALUES (1, 0, 0, '${epoch}') ON CONFLICT (id) DO NOTHING`),
      run('SELECT epoch FROM log_state WHERE id = 1'),
    ])
    return String(rows[0]?.['epoch'])
  } finally {
    // Gives the advisory lock back.
    await session.close()
  }
}

/** Host and database of a URL, without the password. */
function placeOf(url: string): string {
  return URL.canParse(url) ? `${new URL(url).host}${new URL(url).pathname}` : 'its URL is not one'
}

async function checkServer(run: (sql: string) => Promise<Row[]>, deps: DatabaseDeps): Promise<void> {
  const [[encoding], [fsync]] = await Promise.all([run('SHOW server_encoding'), run('SHOW fsync')])
  if (encoding?.['server_encoding'] !== 'UTF8') {
    throw new Error(
      `The PostgreSQL database has the encoding ${String(encoding?.['server_encoding'])}; create it with ENCODING 'UTF8'.`,
    )
  }
  if (fsync?.['fsync'] === 'off') {
    deps.log?.warn('PostgreSQL runs with fsync = off: a power cut can lose or destroy what was acknowledged.')
  }
}

class PostgresDatabase implements OpenDatabase {
  readonly dialect = 'postgres'
  readonly epoch: string
  readonly #queue: CommitQueue
  readonly #reader: PostgresReader
  readonly #resources: AsyncDisposableStack

  constructor(queue: CommitQueue, reader: PostgresReader, epoch: string, resources: AsyncDisposableStack) {
    this.#queue = queue
    this.#reader = reader
    this.epoch = epoch
    this.#resources = resources
  }

  get stats(): CommitStats {
    return this.#queue.stats
  }

  settleMemory(): void {
    this.#queue.settleMemory()
  }

  query<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]> {
    return this.#reader.query(sql, params) as Promise<R[]>
  }

  queryLarge<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]> {
    return this.#reader.queryLarge(sql, params) as Promise<R[]>
  }

  commit(write: Write): Promise<CommitResult> {
    return this.#queue.commit(write)
  }

  /** Answers everything that was handed in, then closes. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close()
    await this.#resources.disposeAsync()
  }
}
