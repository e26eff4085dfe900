import type { DatabaseSync } from 'node:sqlite'
import type { ReadParam, Row, SqlValue } from '../database.ts'
import { toSqliteSql } from '../sql-text.ts'
import type { ParamType } from '../sql-text.ts'
import { allRows, prepareStatement, rowOf } from '../sqlite-connection.ts'
import type { PreparedStatement, SqliteParam } from '../sqlite-connection.ts'
import { encodeParams } from './encode-params.ts'
import type { ParamEncoding } from './encode-params.ts'

/** Prepared statements kept; the least lately used is finalised by the garbage collector. */
const MAX_STATEMENTS = 512

/** node:sqlite binds numbers as REAL and would divide them as such. Lists go as one JSON array. */
const ENCODING: ParamEncoding<SqliteParam> = {
  integer: (value) => BigInt(value),
  texts: (values) => JSON.stringify(values),
  integers: (values) => JSON.stringify(values),
}

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
    return allRows(read.prepared, encodeParams(sql, params, read.params, ENCODING))
  }

  /** The rows in groups of `size`, all read from one state of the database. */
  queryChunks(sql: string, params: readonly ReadParam[], size: number): Row[][] {
    const read = this.#prepare(sql)
    const chunks: Row[][] = []
    let chunk: Row[] = []
    for (const values of read.prepared.statement.iterate(
      ...encodeParams(sql, params, read.params, ENCODING),
    )) {
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
