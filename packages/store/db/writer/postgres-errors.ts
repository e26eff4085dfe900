import { SessionLost } from './postgres-session.ts'
import { StepRefused } from './outcome.ts'

/**
 * Whom an error concerns. `conflict`: a unique key. `write`: only the write that ran into it. `retry`: nobody;
 * the batch is to be tried again. `batch`: the transaction as a whole (server stopped, disk full).
 */
export type PostgresErrorScope = 'conflict' | 'write' | 'retry' | 'batch'

// https://www.postgresql.org/docs/current/errcodes-appendix.html
export function classifyPostgresError(error: unknown): PostgresErrorScope {
  if (error instanceof StepRefused) return 'write'
  if (error instanceof SessionLost) return 'batch'
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string') return 'write'
  // Unique, and unique by an index that cannot say so itself.
  if (code === '23505' || code === '23P01') return 'conflict'
  if (code === '40001' || code === '40P01') return 'retry'
  // Data exception, integrity, syntax or access rule, feature: mistakes of one statement.
  return ['22', '23', '42', '0A'].includes(code.slice(0, 2)) ? 'write' : 'batch'
}
