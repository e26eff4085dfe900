import type { DatabaseSync } from 'node:sqlite'
import { CommitQueue } from './commit-queue.ts'
import type { CommitStats } from './commit-queue.ts'
import type { CommitResult, ReadParam, Row, Write } from './database.ts'
import { loadMigrations, migrate } from './migrate.ts'
import type { DatabaseConfig, DatabaseDeps, OpenDatabase } from './open.ts'
import { LargeReads } from './reader/large-reads.ts'
import { migrationsFolder, sqliteWriterFile } from './program-files.ts'
import { SqliteReader } from './reader/sqlite-reader.ts'
import { createPduSigner } from './signer.ts'
import { openSqliteReader, openSqliteWriter } from './sqlite-connection.ts'
import { lockSqlite } from './sqlite-lock.ts'
import { SqliteWriter } from './writer/sqlite-writer.ts'
import { WriterThread } from './writer/writer-thread.ts'
import type { Writer } from './writer/protocol.ts'

type SqliteConfig = DatabaseConfig & { kind: 'sqlite' }

/** Opens a SQLite database; see `openDatabase`. */
export async function openSqlite(config: SqliteConfig, deps: DatabaseDeps): Promise<OpenDatabase> {
  const inMemory = config.path === ':memory:'
  await using undo = new AsyncDisposableStack()
  if (!inMemory) {
    const lock = lockSqlite(config.path)
    undo.defer(() => lock.release())
  }
  const db = openSqliteWriter(config.path)
  const epoch = await prepareSchema(db, deps).catch((error: unknown) => {
    db.close()
    throw error
  })
  if (inMemory || config.inThread === true) {
    // What crashes in a simulation is a program, never the machine: nothing has to be synced. And nobody else opens the file.
    if (!inMemory) {
      db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
    }
    // Commits and reads take turns here: on one connection a read finds the pages that the commit before it wrote.
    const reader = new SqliteReader(db)
    const queue = createQueue(deps, new SqliteWriter(db, createPduSigner(deps.signer)))
    undo.defer(() => db.close())
    return new SqliteDatabase(queue, reader, undefined, epoch, undo.move())
  }
  db.close()
  const late: { queue?: CommitQueue } = {}
  const writer = await WriterThread.start(
    sqliteWriterFile,
    { path: config.path, signer: deps.signer },
    'store-writer',
    (error) => late.queue?.fail(error),
  )
  undo.defer(() => writer.close())
  const reader = new SqliteReader(openSqliteReader(config.path))
  undo.defer(() => reader.close())
  const large = undo.use(new LargeReads(config.path))
  const queue = (late.queue = createQueue(deps, writer))
  return new SqliteDatabase(queue, reader, large, epoch, undo.move())
}

function createQueue(deps: DatabaseDeps, writer: Writer): CommitQueue {
  const { clock, onCommit, onFailure } = deps
  return new CommitQueue({ clock, writer, onCommit, onFailure })
}

/** Creates or upgrades the schema, and the row of the log; returns the epoch. */
async function prepareSchema(db: DatabaseSync, deps: DatabaseDeps): Promise<string> {
  const run = (sql: string): Row[] => db.prepare(sql).all() as Row[]
  const folder = deps.migrations ?? migrationsFolder
  await migrate({ dialect: 'sqlite', run }, loadMigrations(folder), deps.clock.now())
  db.prepare('INSERT INTO log_state VALUES (1, 0, 0, ?) ON CONFLICT (id) DO NOTHING').run(
    deps.random.token(12),
  )
  return String(run('SELECT epoch FROM log_state WHERE id = 1')[0]!['epoch'])
}

class SqliteDatabase implements OpenDatabase {
  readonly dialect = 'sqlite'
  readonly epoch: string
  readonly #queue: CommitQueue
  readonly #reader: SqliteReader
  readonly #large: LargeReads | undefined
  readonly #resources: AsyncDisposableStack

  constructor(
    queue: CommitQueue,
    reader: SqliteReader,
    large: LargeReads | undefined,
    epoch: string,
    resources: AsyncDisposableStack,
  ) {
    this.#queue = queue
    this.#reader = reader
    this.#large = large
    this.epoch = epoch
    this.#resources = resources
  }

  get stats(): CommitStats {
    return this.#queue.stats
  }

  settleMemory(): void {
    this.#queue.settleMemory()
  }

  async query<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]> {
    return this.#reader.query(sql, params) as R[]
  }

  async queryLarge<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]> {
    return (await (this.#large ?? this.#reader).query(sql, params)) as R[]
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
