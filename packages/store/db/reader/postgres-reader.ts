import postgres from 'postgres'
import type { ReadParam, Row } from '../database.ts'
import { integerArray, textArray } from '../postgres-types.ts'
import { toPostgresSql } from '../sql-text.ts'
import type { ParamType, TranslatedSql } from '../sql-text.ts'
import { checkInteger, escapeText } from '../text.ts'
import { postgresOptions } from '../writer/postgres-session.ts'

const MAX_TRANSLATIONS = 512
const CHUNK_ROWS = 500

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
    const values = encodeParams(sql, params, translated.params)
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

function encodeParams(sql: string, params: readonly ReadParam[], types: readonly ParamType[]): unknown[] {
  if (params.length !== types.length) {
    throw new TypeError(`${types.length} parameters expected, ${params.length} given: ${sql}`)
  }
  return types.map((type, index) => {
    const value = params[index]
    return type === 'value' ? encodeValue(value) : encodeList(value, type)
  })
}

function encodeValue(value: ReadParam | undefined): unknown {
  if (typeof value === 'number') return checkInteger(value)
  if (typeof value === 'string') return escapeText(value)
  if (value === null || value instanceof Uint8Array) return value
  throw new TypeError(
    value === undefined ? 'undefined is no parameter' : 'a list needs the placeholder ?text[] or ?int[]',
  )
}

function encodeList(value: ReadParam | undefined, type: ParamType): string {
  if (!Array.isArray(value)) throw new TypeError(`?${type} takes an array`)
  const wanted = type === 'text[]' ? 'string' : 'number'
  const wrong = value.find((item) => typeof item !== wanted)
  if (wrong !== undefined || value.includes(undefined)) {
    throw new TypeError(`an element of ?${type} is ${typeof wrong}`)
  }
  return type === 'text[]' ? textArray(value.map(escapeText)) : integerArray(value.map(checkInteger))
}
