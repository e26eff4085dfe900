// The small part of SQL that has to be understood: where literals and comments are, and where placeholders.

const NOT_CODE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g
/** `UTF8(column)`: bytes that are UTF-8, to be read as text where that is less work than as bytes. */
const UTF8_COLUMN = /\bUTF8\(([\w.]+)\)/g
const PLACEHOLDER = /(\bNOT\s+)?\bIN\s*\(\s*\?(text|int)\[\]\s*\)|\?(?:\w+\[\])?/gi

/** What a placeholder of a read takes. */
export type ParamType = 'value' | 'text[]' | 'int[]'

/** Portable SQL as one driver understands it. */
export interface TranslatedSql {
  readonly sql: string
  readonly params: readonly ParamType[]
}

/** `sql` with `change` applied to everything that is neither a literal, nor a quoted name, nor a comment. */
export function mapCode(sql: string, change: (code: string) => string): string {
  let out = ''
  let from = 0
  for (const match of sql.matchAll(NOT_CODE)) {
    out += change(sql.slice(from, match.index)) + match[0]
    from = match.index + match[0].length
  }
  return out + change(sql.slice(from))
}

/** All words outside literals and comments, in lower case: every table that the statement can touch is one. */
export function wordsOf(sql: string): ReadonlySet<string> {
  const words = new Set<string>()
  mapCode(sql.replaceAll('"', ' '), (code) => {
    for (const word of code.toLowerCase().match(/\w+/g) ?? []) words.add(word)
    return code
  })
  return words
}

function translate(
  sql: string,
  utf8: string,
  value: (index: number) => string,
  list: (index: number, type: string, negated: boolean) => string,
): TranslatedSql {
  const params: ParamType[] = []
  const text = mapCode(sql, (code) =>
    code
      .replace(UTF8_COLUMN, utf8)
      .replace(PLACEHOLDER, (whole, not: string | undefined, type: string | undefined) => {
        if (type !== undefined) {
          params.push(type.toLowerCase() === 'text' ? 'text[]' : 'int[]')
          return list(params.length, type.toLowerCase(), not !== undefined)
        }
        if (whole !== '?') throw new Error(`${whole} stands only in IN (${whole}): ${sql}`)
        params.push('value')
        return value(params.length)
      }),
  )
  return { sql: text, params }
}

/** For SQLite: `IN (?text[])` becomes a subquery over one JSON array, `UTF8(…)` the bytes themselves. */
export function toSqliteSql(sql: string): TranslatedSql {
  return translate(
    sql,
    '$1',
    () => '?',
    (_index, _type, negated) => `${negated ? 'NOT ' : ''}IN (SELECT value FROM json_each(?))`,
  )
}

/**
 * For PostgreSQL: `$1`, `$2` …; `IN (?text[])` becomes `= ANY($1::text[])`, and `UTF8(…)` text: bytes come in
 * hexadecimal, at twice their length.
 */
export function toPostgresSql(sql: string): TranslatedSql {
  return translate(
    sql,
    "convert_from($1, 'UTF8')",
    (index) => `$${index}`,
    (index, type, negated) => {
      const array = `$${index}::${type === 'text' ? 'text' : 'bigint'}[]`
      return negated ? `<> ALL(${array})` : `= ANY(${array})`
    },
  )
}

/** Within a trigger a semicolon ends a statement of its body, unless `END` stands before it. */
const OPEN_TRIGGER = /^\s*CREATE\s+TRIGGER\b(?![\s\S]*\bEND\s*$)/i

/** The statements of a script, without the comments before them. */
export function splitStatements(script: string): string[] {
  const statements: string[] = []
  let current = ''
  let from = 0
  const take = (code: string): void => {
    const parts = code.split(';')
    for (const part of parts.slice(0, -1)) {
      current += part
      if (OPEN_TRIGGER.test(current)) {
        current += ';'
        continue
      }
      statements.push(current)
      current = ''
    }
    current += parts.at(-1)
  }
  for (const match of script.matchAll(NOT_CODE)) {
    take(script.slice(from, match.index))
    if (!match[0].startsWith('--') && !match[0].startsWith('/*')) current += match[0]
    from = match.index + match[0].length
  }
  take(script.slice(from))
  statements.push(current)
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== '')
}
