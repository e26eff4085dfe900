import type postgres from 'postgres'
import type { Clock } from '../../clock/clock.ts'
import type { ReadParam, Row, SqlValue } from '../database.ts'
import { bytesArray, integerArray, textArray } from '../postgres-types.ts'
import { toPostgresSql } from '../sql-text.ts'
import type { TranslatedSql } from '../sql-text.ts'
import { postgresOptions } from '../writer/postgres-session.ts'
import { encodeParams } from './encode-params.ts'
import type { ParamEncoding } from './encode-params.ts'
import { Gather, type Asked } from './gather.ts'
import { mergeSql, mergeTypeOf, sharedParams, type MergeType } from './merge-sql.ts'
import { PostgresPool } from './postgres-pool.ts'

const MAX_TRANSLATIONS = 512
const CHUNK_ROWS = 500
/** Reads of one statement; more would keep the event loop decoding for too long. */
const MAX_MERGED = 64

type Encoded = string | number | Uint8Array | null

const ENCODING: ParamEncoding<string | number> = {
  integer: (value) => value,
  texts: textArray,
  integers: integerArray,
}

interface Prepared extends TranslatedSql {
  readonly shared: ReadonlySet<number>
  /** Merged forms by the types of their parameters. */
  readonly merged: Map<string, string>
}

interface Read {
  readonly prepared: Prepared
  readonly values: readonly Encoded[]
  /** Of each parameter that may differ within a merged statement. */
  readonly types: readonly (MergeType | undefined)[]
}

const ARRAYS: Record<MergeType, (values: readonly Encoded[]) => string> = {
  bigint: (values) => integerArray(values as number[]),
  text: (values) => textArray(values as string[]),
  bytea: (values) => bytesArray(values as Uint8Array[]),
  'bigint[]': (values) => textArray(values as string[]),
  'text[]': (values) => textArray(values as string[]),
}

/**
 * Reads through a small pool; statements are prepared once per connection. Reads of one text that are
 * asked for in one turn of the event loop go as one statement: a hundred rooms cost one round trip, not a hundred.
 */
export class PostgresReader {
  readonly #pool: PostgresPool
  readonly #prepared = new Map<string, Prepared>()
  readonly #gather = new Gather<Read, Row[]>((group) => this.#answer(group))

  constructor(url: string, size: number, clock: Pick<Clock, 'setTimeout' | 'defer' | 'monotonic'>) {
    const common = postgresOptions('causeway-reader')
    // One plan a statement, by its indexes alone. Planned for its values and without fresh statistics, a page of a room
    // reads and sorts all of the room; and to plan a merged read again costs more than to run it.
    const parameters = { ...common.connection, plan_cache_mode: 'force_generic_plan' }
    this.#pool = new PostgresPool({ url, connection: { ...common, connection: parameters }, size, clock })
  }

  /** Connects, so that the first read need not; should that fail, the first read says so. */
  connect(): void {
    void this.#pool.connect().catch(() => undefined)
  }

  async query(sql: string, params: readonly ReadParam[]): Promise<Row[]> {
    const prepared = this.#prepare(sql)
    const values = encodeParams(sql, params, prepared.params, ENCODING)
    const types = values.map((value, index) =>
      prepared.shared.has(index) ? undefined : mergeTypeOf(value, prepared.params[index]!),
    )
    const read = { prepared, values, types }
    const key = mergeKey(read)
    return key === undefined ? await this.#readOne(read) : await this.#gather.ask(key, read)
  }

  /** As `query`, decoded in chunks with turns of the event loop between them. */
  async queryLarge(sql: string, params: readonly ReadParam[]): Promise<Row[]> {
    const rows: Row[] = []
    const prepared = this.#prepare(sql)
    const values = encodeParams(sql, params, prepared.params, ENCODING)
    await this.#pool.useAlone(async (sql) => {
      for await (const chunk of send(sql, prepared.sql, values).cursor(CHUNK_ROWS)) {
        for (const row of chunk) rows.push(row as Row)
      }
    })
    return rows
  }

  #answer(group: readonly Asked<Read, Row[]>[]): void {
    for (let from = 0; from < group.length; from += MAX_MERGED) {
      const part = group.slice(from, from + MAX_MERGED)
      if (part.length === 1) this.#readOne(part[0]!.what).then(part[0]!.resolve, part[0]!.reject)
      else void this.#readMerged(part)
    }
  }

  async #readOne({ prepared, values }: Read): Promise<Row[]> {
    return [...(await this.#pool.use((sql) => send(sql, prepared.sql, values).execute()))] as Row[]
  }

  async #readMerged(part: readonly Asked<Read, Row[]>[]): Promise<void> {
    try {
      const results = await this.#merged(part.map(({ what }) => what))
      part.forEach(({ resolve }, index) => resolve(results[index]!))
    } catch {
      // What is wrong with one of them is no concern of the others: each gets an answer of its own.
      for (const { what, resolve, reject } of part) this.#readOne(what).then(resolve, reject)
    }
  }

  async #merged(reads: readonly Read[]): Promise<Row[][]> {
    const { prepared, types, values } = reads[0]!
    const params = types.map((type, index) =>
      type === undefined ? values[index]! : ARRAYS[type](reads.map((read) => read.values[index]!)),
    )
    const text = mergedSqlOf(prepared, types)
    const answer = await this.#pool.use((sql) => send(sql, text, params).values().execute())
    const names = answer.columns.map(({ name }) => name)
    const results: Row[][] = reads.map(() => [])
    for (const row of answer as unknown as SqlValue[][]) results[Number(row[0]) - 1]!.push(toRow(names, row))
    return results
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql)
    if (prepared === undefined) {
      const translated = toPostgresSql(sql)
      prepared = { ...translated, shared: sharedParams(translated.sql), merged: new Map() }
      if (this.#prepared.size >= MAX_TRANSLATIONS) {
        this.#prepared.delete(this.#prepared.keys().next().value!)
      }
      this.#prepared.set(sql, prepared)
    }
    return prepared
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

function send(
  sql: postgres.Sql,
  text: string,
  values: readonly Encoded[],
): postgres.PendingQuery<postgres.Row[]> {
  return sql.unsafe(text, values as never[], { prepare: true, simple: false } as object)
}

/** Reads with one key can go as one statement; undefined for one that goes alone. */
function mergeKey({ prepared, values, types }: Read): string | undefined {
  let key = ''
  for (let index = 0; index < values.length; index++) {
    const isShared = prepared.shared.has(index)
    if (!isShared && types[index] === undefined) return undefined
    key += isShared ? `${String(values[index])}|` : `${types[index]}|`
  }
  return values.length === prepared.shared.size ? undefined : key + prepared.sql
}

function mergedSqlOf({ sql, merged }: Prepared, types: Read['types']): string {
  const key = types.join()
  let text = merged.get(key)
  if (text === undefined) merged.set(key, (text = mergeSql(sql, types)))
  return text
}

/** Behind the number of the read and that of the row. */
function toRow(names: readonly string[], values: readonly SqlValue[]): Row {
  const row: Row = {}
  for (let index = 2; index < names.length; index++) row[names[index]!] = values[index]!
  return row
}
