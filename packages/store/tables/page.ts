import type { Database, ReadParam, Row } from '../db/database.ts'

/** Which rows of a list: so many are left out, and so many follow at most. */
export interface PageOf {
  readonly from: number
  readonly limit: number
}

/** One page of a list, and how many rows the whole of it has. */
export interface Page<R extends Row> {
  readonly rows: R[]
  readonly total: number
}

/** A list: `SELECT <columns> FROM <tables> <rest> ORDER BY <order>`. `tables` has the conditions; `counted` is what is counted. */
export interface ListQuery {
  readonly columns: string
  readonly tables: string
  readonly rest?: string
  readonly order: string
  readonly counted?: string
  readonly params: readonly ReadParam[]
}

/** Reads a page of a list, off the calling thread: for operators, who look through whole tables. */
export async function readPage<R extends Row>(
  db: Database,
  { columns, tables, rest = '', order, counted = '*', params }: ListQuery,
  { from, limit }: PageOf,
): Promise<Page<R>> {
  const [rows, counts] = await Promise.all([
    db.queryLarge<R>(`SELECT ${columns} FROM ${tables} ${rest} ORDER BY ${order} LIMIT ? OFFSET ?`, [
      ...params,
      limit,
      from,
    ]),
    db.queryLarge<{ n: number }>(`SELECT count(${counted}) AS n FROM ${tables}`, params),
  ])
  return { rows, total: Number(counts[0]?.n ?? 0) }
}
