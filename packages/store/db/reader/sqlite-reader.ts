import type { DatabaseSync } from 'node:sqlite'
import type { ReadParam, Row, SqlValue } from '../database.ts'
import { toSqliteSql } from '../sql-text.ts'
import type { ParamType } from '../sql-text.ts'
import { allRows, prepareStatement, rowOf } from '../sqlite-connection.ts'
import type { PreparedStatement, SqliteParam } from '../sqlite-connection.ts'
import { checkInteger, escapeText } from '../text.ts'

/** Prepared statements kept; the least lately used is finalised by the garbage collector. */
const MAX_STATEMENTS = 512

interface PreparedRead {
  readonly prepared: PreparedStatement
  readonly params: readonly ParamType[]
}

/** Reads on one connection, each its own short transaction, finished before it returns. */
export class SqliteReader {
  readonly #db: DatabaseSync
  readonly #cache = new Map<string, PreparedRead>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** All rows. @throws Error for faulty SQL, values that fit no column, or a wrong number of them */
  query(sql: string, params: readonly ReadParam[]): Row[] {
    const read = this.#prepare(sql)
    return allRows(read.prepared, encodeParams(sql, params, read.params))
  }

  /** The rows in groups of `size`, all read from one state of the database. */
  queryChunks(sql: string, params: readonly ReadParam[], size: number): Row[][] {
    const read = this.#prepare(sql)
    const chunks: Row[][] = []
    let chunk: Row[] = []
    for (const values of read.prepared.statement.iterate(...encodeParams(sql, params, read.params))) {
      chunk.push(rowOf(read.prepared.columns, values as unknown as SqlValue[]))
      if (chunk.length === size) {
        chunks.push(chunk)
        chunk = []
      }
    }
    chunks.push(chunk)
    return chunks
  }

  #prepare(sql: string): PreparedRead {
    let read = this.#cache.get(sql)
    if (read === undefined) {
      const translated = toSqliteSql(sql)
      read = { prepared: prepareStatement(this.#db, translated.sql), params: translated.params }
      if (this.#cache.size >= MAX_STATEMENTS) this.#cache.delete(this.#cache.keys().next().value!)
    } else this.#cache.delete(sql)
    this.#cache.set(sql, read)
    return read
  }

  close(): void {
    this.#cache.clear()
    this.#db.close()
  }
}

function encodeParams(sql: string, params: readonly ReadParam[], types: readonly ParamType[]): SqliteParam[] {
  if (params.length !== types.length) {
    throw new TypeError(`${types.length} parameters expected, ${params.length} given: ${sql}`)
  }
  return types.map((type, index) =>
    type === 'value' ? encodeValue(params[index]) : encodeList(params[index], type),
  )
}

/** node:sqlite binds numbers as REAL and undefined as NULL: neither gets there. */
function encodeValue(value: ReadParam | undefined): SqliteParam {
  if (typeof value === 'number') return BigInt(checkInteger(value))
  if (typeof value === 'string') return escapeText(value)
  if (value === null || value instanceof Uint8Array) return value
  throw new TypeError(
    value === undefined ? 'undefined is no parameter' : 'a list needs the placeholder ?text[] or ?int[]',
  )
}

function encodeList(value: ReadParam | undefined, type: ParamType): string {
  if (!Array.isArray(value)) throw new TypeError(`?${type} takes an array`)
  const encode = (item: unknown): string | number => {
    if (type === 'text[]' && typeof item === 'string') return escapeText(item)
    if (type === 'int[]' && typeof item === 'number') return checkInteger(item)
    throw new TypeError(`an element of ?${type} is ${typeof item}`)
  }
  return JSON.stringify(value.map(encode))
}
