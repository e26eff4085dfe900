import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function formatCell(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function formatTable(rows: readonly JsonObject[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = [columns, ...rows.map((row) => columns.map((column) => formatCell(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]!.length)))
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** What a command answered, for people: a list of objects as a table, an object as one line a key. */
export function formatResult(result: JsonValue): string {
  if (Array.isArray(result)) {
    if (result.length === 0) return 'nothing\n'
    return result.every(isObject) ? formatTable(result) : result.map((one) => `${formatCell(one)}\n`).join('')
  }
  if (result === null) return 'done\n'
  if (!isObject(result)) return `${formatCell(result)}\n`
  const width = Math.max(0, ...Object.keys(result).map((key) => key.length))
  const lines = Object.entries(result).map(([key, value]) => `${key.padEnd(width)}  ${formatCell(value)}\n`)
  return lines.length === 0 ? 'done\n' : lines.join('')
}
