import type { SqlValue, TableShape } from '../database.ts'
import { bytesArray, integerArray, textArray } from '../postgres-types.ts'
import { conflictClause } from './insert-sql.ts'

/** A statement as it goes to PostgreSQL. */
export interface MergedInsert {
  readonly sql: string
  readonly params: readonly string[]
}

const SQL_TYPE = { int: 'bigint', text: 'text', bytes: 'bytea' } as const

/**
 * Rows of one table, gathered from many writes, that go in with one statement. PostgreSQL refuses to upsert a
 * row twice in one statement: of rows with the same key the last stands for `replace`, the first for `ignore`.
 */
export class InsertGroup {
  readonly table: TableShape
  #rows: (readonly SqlValue[])[] = []
  #byKey: Map<string, number> | undefined
  readonly #key: readonly number[]

  constructor(table: TableShape) {
    this.table = table
    const key = table.onConflict?.key ?? []
    this.#key = key.map((name) => table.columns.findIndex((column) => column.name === name))
    if (this.#key.length > 0) this.#byKey = new Map()
  }

  add(values: readonly SqlValue[]): void {
    if (this.#byKey === undefined) {
      this.#rows.push(values)
      return
    }
    const key = JSON.stringify(this.#key.map((column) => keyPart(values[column]!)))
    const earlier = this.#byKey.get(key)
    if (earlier === undefined) this.#byKey.set(key, this.#rows.push(values) - 1)
    else if (this.table.onConflict?.action === 'replace') this.#rows[earlier] = values
  }

  toSql(): MergedInsert {
    const { columns } = this.table
    const params = columns.map((column, index) => {
      const values = this.#rows.map((row) => row[index]!)
      if (column.type === 'int') return integerArray(values as number[])
      return column.type === 'text' ? textArray(values as string[]) : bytesArray(values as Uint8Array[])
    })
    return { sql: insertManySql(this.table), params }
  }
}

function keyPart(value: SqlValue): string | number | null {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

const cachedSql = new WeakMap<TableShape, string>()

function insertManySql(table: TableShape): string {
  let sql = cachedSql.get(table)
  if (sql === undefined) {
    const names = table.columns.map((column) => column.name).join(', ')
    const arrays = table.columns
      .map((column, index) => `$${index + 1}::${SQL_TYPE[column.type]}[]`)
      .join(', ')
    sql = `INSERT INTO ${table.name} (${names}) SELECT * FROM UNNEST(${arrays})${conflictClause(table)}`
    cachedSql.set(table, sql)
  }
  return sql
}

/** One row as an `Insert` would be, for a replay write by write. */
export function insertOneSql({
  into,
  values,
}: {
  into: TableShape
  values: readonly SqlValue[]
}): MergedInsert {
  const group = new InsertGroup(into)
  group.add(values)
  return group.toSql()
}
