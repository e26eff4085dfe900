import postgres from 'postgres'
import type { Row } from '../database.ts'
import { postgresTypes } from '../postgres-types.ts'
import { messageOf } from './outcome.ts'

export interface StatementResult {
  /** Rows changed or returned. */
  readonly count: number
  readonly rows: readonly Row[]
  /** As the server names what it did: `COMMIT`, `ROLLBACK`, `INSERT` … */
  readonly command: string
}

/** The error of a session that is gone: whatever was in flight has no known outcome. */
export class SessionLost extends Error {}

/** Options that every connection of ours shares. */
export function postgresOptions(application: string): postgres.Options<typeof postgresTypes> {
  return {
    types: postgresTypes,
    fetch_types: false,
    prepare: true,
    connect_timeout: 10,
    idle_timeout: 0,
    // postgres.js would close connections at random ages; in mid-transaction that is of no use.
    max_lifetime: null,
    connection: { application_name: application },
    onnotice: () => undefined,
  }
}

/**
 * One connection that is never replaced behind our back: postgres.js reconnects by itself, and what was queued
 * would then run outside of its transaction. A lost session rejects everything and is thrown away.
 */
export class PostgresSession {
  readonly #sql: postgres.Sql
  readonly #pending = new Set<(error: SessionLost) => void>()
  #connection: postgres.ReservedSql | undefined
  #lost: SessionLost | undefined

  private constructor(url: string, application: string) {
    const options = { ...postgresOptions(application), max: 1, onclose: () => this.#lose() }
    this.#sql = postgres(url, options) as unknown as postgres.Sql
  }

  /** @throws the driver's error when the server cannot be reached or refuses us */
  static async open(url: string, application: string): Promise<PostgresSession> {
    const session = new PostgresSession(url, application)
    try {
      // Connects first: postgres.js never answers a `reserve` that has to open the connection itself.
      await session.#untilLost(session.#sql.unsafe('SELECT 1').execute())
      session.#connection = await session.#untilLost(session.#sql.reserve())
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  /**
   * Sends a statement without waiting for those before it; they run in order. Every result must be awaited, or
   * at least caught.
   */
  send(sql: string, params: readonly unknown[] = []): Promise<StatementResult> {
    if (this.#lost !== undefined || this.#connection === undefined) {
      return Promise.reject(this.#lost ?? new SessionLost('the connection to PostgreSQL is closed'))
    }
    // `simple` decides on the protocol; without it a statement without parameters would not be prepared.
    const query = this.#connection.unsafe(sql, params as never[], { prepare: true, simple: false } as object)
    return this.#untilLost(query.execute()).then(toResult)
  }

  /** postgres.js leaves what it had queued for a lost connection unanswered. */
  #untilLost<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      promise.then(
        (value) => {
          this.#pending.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          this.#pending.delete(reject)
          reject(isConnectionError(error) ? new SessionLost(messageOf(error)) : error)
        },
      )
    })
  }

  #lose(): void {
    const error = (this.#lost ??= new SessionLost('the connection to PostgreSQL was lost'))
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
  }

  async close(): Promise<void> {
    // The driver waits for a reserved connection to be given back.
    if (this.#lost === undefined) this.#connection?.release()
    this.#lost ??= new SessionLost('the connection to PostgreSQL is closed')
    await this.#sql.end({ timeout: 5 })
  }
}

function toResult(rows: postgres.RowList<postgres.Row[]>): StatementResult {
  return { count: rows.count, rows: [...rows], command: rows.command }
}

/** Errors that the driver makes up itself, such as CONNECTION_CLOSED, and those of the socket. */
function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^(CONNECTION_|CONNECT_|E[A-Z]+$)/.test(code)
}
