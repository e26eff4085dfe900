import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { displayWidth, printable } from './display-width.ts'

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One value on one line: lists with commas, objects as `key=value`. */
export function formatCell(value: JsonValue | undefined): string {
  if (value === undefined || value === null || value === '') return '-'
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(formatCell).join(', ')
  if (!isObject(value)) return String(value)
  const fields = Object.entries(value).map(([key, field]) => `${printable(key)}=${formatCell(field)}`)
  return fields.length === 0 ? '-' : fields.join(' ')
}

const spaces = (text: string, width: number): string => ' '.repeat(Math.max(0, width - displayWidth(text)))

/** Columns of numbers end where the others begin. */
function formatTable(rows: readonly JsonObject[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const numeric = columns.map((column) => rows.every((row) => typeof row[column] === 'number'))
  const cells = [
    columns.map(printable),
    ...rows.map((row) => columns.map((column) => formatCell(row[column]))),
  ]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => displayWidth(row[index]!))))
  const lines = cells.map((row) => {
    const padded = row.map((cell, index) => {
      const fill = spaces(cell, widths[index]!)
      return numeric[index] === true ? fill + cell : cell + fill
    })
    return `${padded.join('  ').trimEnd()}\n`
  })
  return lines.join('')
}

/** Lists of objects are too much for a line: each is a table of its own, below the rest. */
function isTable(value: JsonValue): value is JsonObject[] {
  return Array.isArray(value) && value.length > 0 && value.every(isObject)
}

function formatTables(result: JsonObject): string {
  const tables = Object.entries(result).filter((field): field is [string, JsonObject[]] => isTable(field[1]))
  const indented = (rows: JsonObject[]): string => formatTable(rows).replaceAll(/^(?=.)/gm, '  ')
  return tables.map(([key, rows]) => `\n${printable(key)}\n${indented(rows)}`).join('')
}

/** What a command answered, for people: a list of objects as a table, an object as one line a key. */
export function formatResult(result: JsonValue): string {
  if (Array.isArray(result)) {
    if (result.length === 0) return 'nothing\n'
    return result.every(isObject) ? formatTable(result) : result.map((one) => `${formatCell(one)}\n`).join('')
  }
  if (result === null) return 'done\n'
  if (!isObject(result)) return `${formatCell(result)}\n`
  const plain = Object.entries(result).filter(([, value]) => !isTable(value))
  const fields = plain.map(([key, value]) => [printable(key), formatCell(value)] as const)
  const width = Math.max(0, ...fields.map(([key]) => displayWidth(key)))
  const lines = fields.map(([key, value]) => `${key}${spaces(key, width)}  ${value}\n`)
  const tables = formatTables(result)
  return lines.length === 0 && tables === '' ? 'done\n' : lines.join('') + tables
}
