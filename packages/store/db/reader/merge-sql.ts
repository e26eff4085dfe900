import { mapCode, type ParamType } from '../sql-text.ts'

/** What kind of parameter a value is; by it parameters of many reads become one array. */
export type MergeType = 'bigint' | 'text' | 'bytea' | 'bigint[]' | 'text[]'

const PARAMETER = /\$(\d+)(?:::(bigint|text)\[\])?/g
/** PostgreSQL takes no column there. */
const LIMITS = /\b(?:LIMIT|OFFSET)\s+\$(\d+)/gi
const HAS_ORDER = /\border\s+by\b/i

/** The parameters (from 0) that stand where all reads of a merged statement must agree. */
export function sharedParams(sql: string): ReadonlySet<number> {
  const shared = new Set<number>()
  mapCode(sql, (code) => {
    for (const [, index] of code.matchAll(LIMITS)) shared.add(Number(index) - 1)
    return code
  })
  return shared
}

/** The type of one parameter; undefined for NULL, whose type cannot be told. */
export function mergeTypeOf(value: unknown, type: ParamType): MergeType | undefined {
  if (type !== 'value') return type === 'int[]' ? 'bigint[]' : 'text[]'
  if (typeof value === 'number') return 'bigint'
  if (typeof value === 'string') return 'text'
  return value instanceof Uint8Array ? 'bytea' : undefined
}

/**
 * A read, in PostgreSQL's own SQL, for many sets of parameters at once: `q` beside each row of arrays. The first
 * column of the answer tells which set (from 1) a row belongs to; rows of one set keep the order of the read.
 */
export function mergeSql(sql: string, types: readonly (MergeType | undefined)[]): string {
  const used = types.map((type, index) => ({ type, index })).filter(({ type }) => type !== undefined)
  const inner = mapCode(sql, (code) =>
    code.replace(PARAMETER, (whole, number: string, list: string | undefined) => {
      const type = types[Number(number) - 1]
      if (type === undefined) return whole
      return list === undefined ? `b.p${number}` : `b.p${number}::${list}[]`
    }),
  )
  // A list of lists has no type: each goes as the text of an array.
  const arrays = used.map(({ type, index }) => `$${index + 1}::${type!.endsWith('[]') ? 'text' : type}[]`)
  const names = used.map(({ index }) => `p${index + 1}`)
  const from = `FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS b(${names.join(', ')}, read_no)`
  return HAS_ORDER.test(sql)
    ? `SELECT b.read_no, q.* ${from} CROSS JOIN LATERAL (SELECT row_number() OVER () AS row_no, r.* FROM (${inner}) AS r) AS q ORDER BY b.read_no, q.row_no`
    : `SELECT b.read_no, 0 AS row_no, q.* ${from} CROSS JOIN LATERAL (${inner}) AS q`
}
