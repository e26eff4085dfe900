import type { Database, SqlValue } from '../db/database.ts'
import { ERASURE } from './registry.ts'
import type { ColumnKind, TableErasure } from './rules.ts'

// Test support: rows in every table of the list, and a look for what is left of them.

/** What the rows are about. */
export interface Subject {
  readonly roomNid: number
  readonly roomId: string
  readonly userId: string
  /** Log numbers of the room's events. */
  readonly eventNids: readonly number[]
  /** Their ids, by number; default `$<number>`. */
  readonly eventIds?: ReadonlyMap<number, string>
}

const TYPES = {
  sqlite: `SELECT t.name AS table_name, c.name AS column_name, c.type AS type FROM sqlite_master t
           JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`,
  postgres: `SELECT table_name::text AS table_name, column_name::text AS column_name, data_type::text AS type
             FROM information_schema.columns WHERE table_schema = current_schema()`,
}

/** Of the program itself. */
const OURS = new Set(['schema_migrations', 'log_state', 'cursors'])

/** Tables in which numbers of events stand in a text, as a list. */
const LISTS = new Set(['appservice_pending', 'outbound_transactions'])

let unique = 1_000

const eventIdOf = ({ eventIds }: Subject, nid: number): string => eventIds?.get(nid) ?? `$${nid}`

function sample(kind: ColumnKind, type: string, subject: Subject, eventNid: number): SqlValue {
  const about: Partial<Record<ColumnKind, SqlValue>> = {
    room_nid: subject.roomNid,
    room_id: subject.roomId,
    user_id: subject.userId,
    event_nid: type === 'TEXT' || type === 'text' ? String(eventNid) : eventNid,
    event_id: eventIdOf(subject, eventNid),
  }
  const known = about[kind]
  if (known !== undefined) return known
  unique++
  if (/int/i.test(type)) return unique
  return /blob|bytea/i.test(type) ? new TextEncoder().encode(String(unique)) : String(unique)
}

/** Puts a row for each event, or one, into every table that a subject can have rows in. */
export async function fillTables(db: Database, subject: Subject): Promise<void> {
  const rows = await db.query<{ table_name: string; column_name: string; type: string }>(
    TYPES[db.dialect],
    [],
  )
  const types = new Map(rows.map((row) => [`${row.table_name}.${row.column_name}`, row.type]))
  for (const [table, { columns }] of Object.entries(ERASURE)) {
    if (OURS.has(table)) continue
    const names = Object.keys(columns)
    const perEvent = Object.values(columns).some((kind) => kind.startsWith('event_')) && table !== 'rooms'
    for (const nid of perEvent ? subject.eventNids : subject.eventNids.slice(0, 1)) {
      const params = names.map((name) =>
        sample(columns[name]!, types.get(`${table}.${name}`) ?? '', subject, nid),
      )
      const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
        ON CONFLICT DO NOTHING`
      await db.commit({ entries: [], steps: [{ sql, params }] })
    }
  }
}

async function countRows(db: Database, table: string, column: string, value: SqlValue): Promise<number> {
  const rows = await db.query<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${column} = ?`, [
    value,
  ])
  return Number(rows[0]!.n)
}

/** `table.column` of every column that still names the subject, by `kinds`, with the number of rows. */
export async function findLeftovers(
  db: Database,
  subject: Subject,
  kinds: readonly ColumnKind[],
  counts: (table: string, column: string, entry: TableErasure) => boolean = () => true,
): Promise<Record<string, number>> {
  const left: Record<string, number> = {}
  for (const [table, entry] of Object.entries(ERASURE)) {
    for (const [column, kind] of Object.entries(entry.columns)) {
      if (OURS.has(table) || !kinds.includes(kind) || !counts(table, column, entry)) continue
      const values: SqlValue[] =
        kind === 'room_nid'
          ? [subject.roomNid]
          : kind === 'room_id'
            ? [subject.roomId]
            : kind === 'user_id'
              ? [subject.userId]
              : subject.eventNids.map((nid) => (kind === 'event_nid' ? nid : eventIdOf(subject, nid)))
      let n = 0
      if (!LISTS.has(table)) for (const value of values) n += await countRows(db, table, column, value)
      if (n > 0) left[`${table}.${column}`] = n
    }
  }
  return left
}
