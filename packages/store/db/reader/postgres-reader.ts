import postgres from 'postgres'
import type { ReadParam, Row } from '../database.ts'
import { integerArray, textArray } from '../postgres-types.ts'
import { toPostgresSql } from '../sql-text.ts'
import type { TranslatedSql } from '../sql-text.ts'
import { postgresOptions } from '../writer/postgres-session.ts'
import { encodeParams } from './encode-params.ts'
import type { ParamEncoding } from './encode-params.ts'

const MAX_TRANSLATIONS = 512
const CHUNK_ROWS = 500

const ENCODING: ParamEncoding<string | number> = {
  integer: (value) => value,
  texts: textArray,
  integers: integerArray,
}

/** Reads through a small pool; statements are prepared once per connection and pipelined. */
export class PostgresReader {
  readonly #sql: postgres.Sql
  readonly #translated = new Map<string, TranslatedSql>()

  constructor(url: string, poolSize: number) {
    const options = { ...postgresOptions('causeway-reader'), max: poolSize }
    this.#sql = postgres(url, options) as unknown as postgres.Sql
  }

  async query(sql: string, params: readonly ReadParam[]): Promise<Row[]> {
    return [...(await this.#send(sql, params))] as Row[]
  }

  /** As `query`, decoded in chunks with turns of the event loop between them. */
  async queryLarge(sql: string, params: readonly ReadParam[]): Promise<Row[]> {
    const rows: Row[] = []
    for await (const chunk of this.#send(sql, params).cursor(CHUNK_ROWS)) {
      for (const row of chunk) rows.push(row as Row)
    }
    return rows
  }

  #send(sql: string, params: readonly ReadParam[]): postgres.PendingQuery<postgres.Row[]> {
    const translated = this.#translate(sql)
    const values = encodeParams(sql, params, translated.params, ENCODING)
    return this.#sql.unsafe(translated.sql, values as never[], { prepare: true, simple: false } as object)
  }

  #translate(sql: string): TranslatedSql {
    let translated = this.#translated.get(sql)
    if (translated === undefined) {
      translated = toPostgresSql(sql)
      if (this.#translated.size >= MAX_TRANSLATIONS) {
        this.#translated.delete(this.#translated.keys().next().value!)
      }
      this.#translated.set(sql, translated)
    }
    return translated
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 })
  }
}
