import { HeadsChanged } from './sqlite-heads.ts'
import { StepRefused } from './outcome.ts'

/**
 * Whom an error concerns. `conflict`: a unique key. `write`: only the write that ran into it. `batch`: the
 * transaction as a whole (disk full, I/O). `fatal`: the file or the disk cannot be trusted any more.
 */
export interface SqliteErrorClass {
  readonly scope: 'conflict' | 'write' | 'batch'
  readonly fatal: boolean
  /** Even when it comes out of COMMIT (disk full, file busy): SQLite has rolled back cleanly. */
  readonly harmless: boolean
}

// Extended result codes: https://www.sqlite.org/rescode.html
const UNIQUE = new Set([2067, 1555, 2579])
/** Primary codes of mistakes in one statement: ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const OF_ONE_WRITE = new Set([1, 18, 19, 20, 25])
/** IOERR, CORRUPT, NOTADB. */
const FATAL = new Set([10, 11, 26])
/** BUSY, FULL. */
const HARMLESS = new Set([5, 13])

const ofWrite: SqliteErrorClass = { scope: 'write', fatal: false, harmless: false }

export function classifySqliteError(error: unknown): SqliteErrorClass {
  if (error instanceof StepRefused || error instanceof HeadsChanged) return ofWrite
  const errcode = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  // Not from SQLite: values that node:sqlite could not bind or read.
  if (typeof errcode !== 'number') return ofWrite
  if (UNIQUE.has(errcode)) return { ...ofWrite, scope: 'conflict' }
  const primary = errcode & 0xff
  if (OF_ONE_WRITE.has(primary)) return ofWrite
  return { scope: 'batch', fatal: FATAL.has(primary), harmless: HARMLESS.has(primary) }
}
