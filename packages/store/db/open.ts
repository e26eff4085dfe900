import type { Clock, Random } from '../clock/clock.ts'
import type { CommitStats } from './commit-queue.ts'
import type { CommitResult, Database, Write } from './database.ts'
import type { SignerConfig } from './signer.ts'
import { openSqlite } from './sqlite.ts'

export type DatabaseConfig =
  | {
      readonly kind: 'sqlite'
      /** A file, or `:memory:` (always in-thread). */
      readonly path: string
      /** The writer runs on the calling thread and everything is ordered by the clock: for simulations. */
      readonly inThread?: boolean
    }
  | {
      readonly kind: 'postgres'
      readonly url: string
      /** Connections for reading; there is one more for writing. Default 4. */
      readonly poolSize?: number
      /**
       * Other processes may write to it at the same time. Otherwise the database is held for this process alone:
       * what it keeps in memory would not show what others write, nor what a killed predecessor is still committing.
       */
      readonly shared?: boolean
    }

export interface DatabaseDeps {
  readonly clock: Clock
  readonly random: Random
  /** Our signing key: the writer signs `UnsignedPdu` values with it. */
  readonly signer: SignerConfig
  readonly log?: { warn(message: string): void } | undefined
  /**
   * Called for every accepted write in commit order (positions ascending), in the same turn in which the commit
   * became known and before its promise resolves: the place to append to the ring. Must not throw; if it does,
   * the database fails, since the log in memory then has a hole.
   */
  readonly onCommit?: ((write: Write, result: CommitResult & { ok: true }) => void) | undefined
  /** The database takes no more writes (the disk or the writer failed): stop the process and start it anew. */
  readonly onFailure?: ((error: Error) => void) | undefined
  /** Where the migrations are; default: those of this package. */
  readonly migrations?: URL | undefined
}

/** A database that is open, with what its owner may want to know about it. */
export interface OpenDatabase extends Database {
  readonly stats: CommitStats
  /** The epoch of this database: changes when a backup is restored. */
  readonly epoch: string
  /** The writer's thread collects its garbage: what its start has left behind. */
  settleMemory(): void
}

/**
 * Opens a database, creating or upgrading it where needed, and starts its writer.
 * @throws Error with a sentence for the operator: in use by another process, of another version, unreachable
 */
export async function openDatabase(config: DatabaseConfig, deps: DatabaseDeps): Promise<OpenDatabase> {
  if (config.kind === 'sqlite') return openSqlite(config, deps)
  // Its driver is loaded only where there is a PostgreSQL.
  const { openPostgres } = await import('./postgres.ts')
  return openPostgres(config, deps)
}
