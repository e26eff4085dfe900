import type { JsonObject, JsonValue } from '../events/pdu.ts'
import { endOfString, skipSpace } from './scan.ts'

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERALS: readonly (readonly [string, JsonValue])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

/** Where reading stands. */
interface Cursor {
  readonly text: string
  at: number
}

/**
 * Reads JSON by the grammar, without the engine's shortcuts for keys (see `parseJson` for why). It recurses, so
 * the caller bounds the nesting first. @throws SyntaxError when the text is no JSON.
 */
export function parsePlain(text: string): JsonValue {
  const cursor: Cursor = { text, at: 0 }
  const value = readValue(cursor)
  if (skipSpace(text, cursor.at) !== text.length) throw unexpected(cursor)
  return value
}

function readValue(cursor: Cursor): JsonValue {
  cursor.at = skipSpace(cursor.text, cursor.at)
  switch (cursor.text[cursor.at]) {
    case '{':
      return readObject(cursor)
    case '[':
      return readArray(cursor)
    case '"':
      return readString(cursor)
    default:
      return readScalar(cursor)
  }
}

function readObject(cursor: Cursor): JsonObject {
  const entries: [string, JsonValue][] = []
  cursor.at++
  if (takes(cursor, '}')) return {}
  do {
    cursor.at = skipSpace(cursor.text, cursor.at)
    if (cursor.text[cursor.at] !== '"') throw unexpected(cursor)
    const key = readString(cursor)
    if (!takes(cursor, ':')) throw unexpected(cursor)
    entries.push([key, readValue(cursor)])
  } while (takes(cursor, ','))
  if (!takes(cursor, '}')) throw unexpected(cursor)
  return Object.fromEntries(entries)
}

function readArray(cursor: Cursor): JsonValue[] {
  const items: JsonValue[] = []
  cursor.at++
  if (takes(cursor, ']')) return items
  do items.push(readValue(cursor))
  while (takes(cursor, ','))
  if (!takes(cursor, ']')) throw unexpected(cursor)
  return items
}

/** The engine reads a string that stands alone correctly, escapes and all. */
function readString(cursor: Cursor): string {
  const end = endOfString(cursor.text, cursor.at) + 1
  const value = JSON.parse(cursor.text.slice(cursor.at, end)) as string
  cursor.at = end
  return value
}

function readScalar(cursor: Cursor): JsonValue {
  for (const [word, value] of LITERALS) {
    if (!cursor.text.startsWith(word, cursor.at)) continue
    cursor.at += word.length
    return value
  }
  NUMBER.lastIndex = cursor.at
  const digits = NUMBER.exec(cursor.text)?.[0]
  if (digits === undefined) throw unexpected(cursor)
  cursor.at += digits.length
  return Number(digits)
}

function takes(cursor: Cursor, character: string): boolean {
  cursor.at = skipSpace(cursor.text, cursor.at)
  if (cursor.text[cursor.at] !== character) return false
  cursor.at++
  return true
}

function unexpected(cursor: Cursor): SyntaxError {
  return new SyntaxError(`Unexpected text at ${cursor.at}`)
}
