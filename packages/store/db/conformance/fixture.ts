import type { EventEntry } from '../../log/entry.ts'
import type { CommitResult, Database, Row, Step, TableShape, Write } from '../database.ts'
import type { DatabaseDeps, OpenDatabase } from '../open.ts'

/** Opens a database that nobody else uses. `again` opens the same one once more, after it was closed. */
export interface SuiteTarget {
  readonly name: string
  /** Keeps its data when closed. */
  readonly durable: boolean
  readonly create: (deps?: Partial<DatabaseDeps>) => Promise<{
    readonly db: OpenDatabase
    readonly again: (deps?: Partial<DatabaseDeps>) => Promise<OpenDatabase>
    readonly cleanUp: () => Promise<void>
  }>
}

/** The migrations of the suite's own tables. */
export const suiteMigrations = new URL('./migrations/', import.meta.url)

export const suiteSigner = {
  serverName: 'example.org',
  keyId: 'ed25519:suite',
  privateKey: new Uint8Array(32).fill(7),
}

export const THINGS: TableShape = {
  name: 'things',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'name', type: 'text' },
    { name: 'amount', type: 'int' },
    { name: 'data', type: 'bytes' },
  ],
}

const notes = {
  name: 'notes',
  columns: [
    { name: 'owner', type: 'text' },
    { name: 'note', type: 'text' },
    { name: 'amount', type: 'int' },
  ],
} as const
export const NOTES: TableShape = notes
export const NOTES_REPLACED: TableShape = {
  ...notes,
  onConflict: { key: ['owner', 'note'], action: 'replace' },
}
export const NOTES_KEPT: TableShape = { ...notes, onConflict: { key: ['owner', 'note'], action: 'ignore' } }

/** An entry of the log: the writer only counts them and fills in their numbers. */
export function entry(): EventEntry {
  return { kind: 'event', position: 0, event: { nid: 0 } } as EventEntry
}

/** A write of one thing at one position, and what else is given. */
export function thing(name: string, more: Partial<Write> = {}): Write {
  const step: Step = { into: THINGS, values: [{ position: 0 }, name, null, null] }
  return { entries: [entry()], ...more, steps: [step, ...(more.steps ?? [])] }
}

export function note(table: TableShape, owner: string, amount: number): Write {
  return { entries: [], steps: [{ into: table, values: [owner, 'n', amount] }] }
}

export function room(nid: number, version = 0): Write {
  const sql = 'INSERT INTO rooms VALUES (?, ?, ?, ?, ?)'
  return { entries: [], steps: [{ sql, params: [nid, `!room${nid}`, '12', version, '{}'] }] }
}

export function head(
  roomNid: number,
  expectVersion: number,
  version = expectVersion + 1,
): Pick<Write, 'heads'> {
  return { heads: [{ roomNid, expectVersion, version, head: `{"v":${version}}` }] }
}

/** Commits and insists on acceptance. */
export async function accepted(db: Database, write: Write): Promise<CommitResult & { ok: true }> {
  const result = await db.commit(write)
  if (!result.ok) throw new Error(`refused: step ${result.step}, ${result.reason}`)
  return result
}

export async function one(db: Database, sql: string): Promise<Row> {
  const rows = await db.query(sql, [])
  if (rows.length !== 1) throw new Error(`${rows.length} rows: ${sql}`)
  return rows[0]!
}
