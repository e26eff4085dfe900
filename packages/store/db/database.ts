import type { LogEntry } from '../log/entry.ts'

/** What a column holds. There are no booleans or dates in the schema: 0/1 and milliseconds. */
export type SqlValue = string | number | Uint8Array | null

/** A read parameter; arrays go with the `?text[]` and `?int[]` placeholders (`WHERE event_id IN (?text[])`). */
export type ReadParam = SqlValue | readonly string[] | readonly number[]

export type Row = Record<string, SqlValue>

/** The `index`-th position that this write's `entries` take in the log; known only at commit. */
export interface PositionRef {
  readonly position: number
}
/** The `index`-th number of the second, decreasing sequence (back-filled events, outliers): −1, −2, … */
export interface HistoricalRef {
  readonly historical: number
}
/**
 * A PDU that the writer still has to sign. `head + tail` is its canonical JSON without signatures; what is
 * stored is `head + "signatures":{…}, + tail` (see `matrix/events/build.ts`).
 */
export interface UnsignedPdu {
  readonly head: string
  readonly tail: string
  /**
   * What the signature covers, which is not `head + tail`: the canonical JSON of the *redacted* event without
   * `signatures` and `unsigned`, the very text whose hash is the event id.
   * https://spec.matrix.org/v1.19/server-server-api/#signing-events
   */
  readonly signed: string
}

export type WriteValue = SqlValue | PositionRef | HistoricalRef | UnsignedPdu

/** A table that the writer may insert into in bulk. Columns in the order of `Insert.values`. */
export interface TableShape {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: 'int' | 'text' | 'bytes' }[]
  /** Absent: a duplicate key refuses the write. `ignore`: keeps the old row. `replace`: the new row wins. */
  readonly onConflict?: { readonly key: readonly string[]; readonly action: 'ignore' | 'replace' }
}

/** One row for `table`. Bulk inserts of a batch are merged per table where the database gains by it. */
export interface Insert {
  readonly into: TableShape
  readonly values: readonly WriteValue[]
}

/** Any other statement: portable SQL with `?` placeholders. */
export interface Statement {
  readonly sql: string
  readonly params: readonly WriteValue[]
  /** The write is refused (`precondition`) unless exactly this many rows were changed or returned. */
  readonly expectRows?: number
  /** Keep the rows of a `RETURNING` clause (or of a SELECT) for the caller. */
  readonly returning?: boolean
}

export type Step = Insert | Statement

/**
 * Compare-and-set of a room's row: refused unless the row is at `expectVersion`. Heads of one room in one
 * batch are coalesced into a single update, since each of them would overwrite the one before.
 */
export interface HeadAdvance {
  readonly roomNid: number
  readonly expectVersion: number
  readonly version: number
  /** JSON; see `rooms/head.ts` of the homeserver. */
  readonly head: string
}

/** One write of the log: applied whole or not at all, in a group with others, durable once answered. */
export interface Write {
  /** In-memory forms of what the log gains; each takes one position, in this order. */
  readonly entries: readonly LogEntry[]
  /** How many numbers of the decreasing sequence this write takes. */
  readonly historical?: number
  readonly heads?: readonly HeadAdvance[]
  readonly steps: readonly Step[]
}

export type CommitResult =
  | {
      readonly ok: true
      readonly positions: readonly number[]
      readonly historical: readonly number[]
      /** Rows of each step with `returning`, by step index. */
      readonly rows: ReadonlyMap<number, readonly Row[]>
    }
  /** `step` is the index in `steps`, or −1 for a head. `conflict`: a unique key; `precondition`: expectRows or a version. */
  | { readonly ok: false; readonly step: number; readonly reason: 'conflict' | 'precondition' }

/**
 * A database, the same for every driver. Reads see every write that was answered before they began. There are
 * no interactive transactions: a write is data, and what it depends on is a precondition in it, so that one
 * writer can put everything that waits into one commit (group commit), each write under its own savepoint.
 */
export interface Database extends AsyncDisposable {
  readonly dialect: 'sqlite' | 'postgres'
  /** For up to about 1,000 rows: SQLite answers on the calling thread. */
  query<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]>
  /** For any number of rows: never blocks the calling thread on the database. */
  queryLarge<R extends Row>(sql: string, params: readonly ReadParam[]): Promise<R[]>
  /**
   * Resolves after the commit is durable, or with the refusal. Rejects only when the database itself failed;
   * then nothing of the write was applied, or (connection lost during COMMIT) that cannot be known.
   */
  commit(write: Write): Promise<CommitResult>
}
