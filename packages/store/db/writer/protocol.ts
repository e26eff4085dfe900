import type { Row, TableShape } from '../database.ts'

// What the commit queue and the writer say to each other. One message per batch each way: waking the other
// thread costs more than the batch's data, and flat arrays are cloned several times faster than objects.

/**
 * Types of a step's values, one letter each: `i` integer, `t` text, `b` bytes, `n` null, `p` position, `h`
 * historical number, `u` PDU to be signed.
 */
export type ParamTypes = string

/** A kind of step, sent once and then referred to by number. */
export type StepDef =
  | { readonly kind: 'insert'; readonly table: TableShape; readonly types: ParamTypes }
  | {
      readonly kind: 'statement'
      readonly sql: string
      readonly types: ParamTypes
      readonly returning: boolean
    }

export type Item = string | number | null

/**
 * A batch. `items` holds, per write: entries, historical numbers, number of heads, each
 * head (room, expected version, version, JSON), number of steps, each step (number of its definition, expected
 * rows or −1, then its values). A value is one item, except bytes (offset and length in `bytes`) and PDUs
 * (head, tail, signed text); positions and historical numbers are given by index.
 */
export interface BatchMessage {
  /** Forget all definitions before taking `defs`. */
  readonly reset: boolean
  /** Definitions not sent before, numbered onwards. */
  readonly defs: readonly StepDef[]
  readonly writes: number
  readonly items: readonly Item[]
  readonly bytes: Uint8Array
}

export type RefusalReason = 'conflict' | 'precondition'

export interface BatchDone {
  readonly ok: true
  /** The log's numbers before this batch; accepted writes took the following ones, in order. */
  readonly position: number
  readonly historical: number
  readonly refused: readonly {
    readonly write: number
    readonly step: number
    readonly reason: RefusalReason
  }[]
  /** Writes that failed by themselves (a faulty statement): their callers get an error. */
  readonly errors: readonly { readonly write: number; readonly message: string }[]
  readonly rows: readonly { readonly write: number; readonly step: number; readonly rows: readonly Row[] }[]
}

/** The whole batch failed. After a `fatal` failure the writer takes nothing more. */
export interface BatchFailed {
  readonly ok: false
  readonly message: string
  readonly fatal: boolean
}

export type BatchReply = BatchDone | BatchFailed

/** Where the log is after a batch. */
export interface LogNumbers {
  readonly position: number
  readonly historical: number
}

/** A writer, wherever it runs. One batch at a time. */
export interface Writer {
  apply(message: BatchMessage): Promise<BatchReply> | BatchReply
  close(): Promise<void> | void
  /** Of a writer that succeeds another one of this process: its next batch follows on what that one wrote. */
  takeOver?(log: LogNumbers | undefined): void
  /** Of a writer that has a thread of its own: this collects its garbage. */
  settleMemory?(): void
}
