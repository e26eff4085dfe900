import { badJson, MatrixError } from '../errors/matrix-error.ts'
import type { JsonObject, JsonValue } from '../events/pdu.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** An escaped surrogate; only a text that has one can smuggle a lone surrogate past the UTF-8 decoder. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/

/**
 * Reads JSON from the wire. Broken UTF-8, a byte-order mark, lone surrogates and nesting beyond
 * `MAX_JSON_DEPTH` are refused. Of equal keys in one object the last one counts, as in other Matrix servers:
 * hashes are taken over what was read, so both sides of a federation must read the same. A key `__proto__` is
 * an ordinary own key; whoever copies objects must spread them or build from entries, never assign by key.
 *
 * @throws MatrixError M_NOT_JSON when it is no JSON in UTF-8, M_BAD_JSON when it is JSON we refuse.
 */
export function parseJson(input: Uint8Array | string): JsonValue {
  const text = typeof input === 'string' ? input : decode(input)
  if (isTooDeep(text)) throw badJson(`JSON nested deeper than ${MAX_JSON_DEPTH} levels is not accepted`)
  const value = parse(text)
  if ((ESCAPED_SURROGATE.test(text) || !text.isWellFormed()) && !isUnicode(value)) {
    throw badJson('Text must be valid Unicode, without lone surrogates')
  }
  return value
}

/** As `parseJson`, for bodies that must be an object. @throws MatrixError M_BAD_JSON for any other value. */
export function parseJsonObject(input: Uint8Array | string): JsonObject {
  const value = parseJson(input)
  if (!isJsonObject(value)) throw badJson('The body must be a JSON object')
  return value
}

/** Whether a value is a JSON object and neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new MatrixError('M_NOT_JSON', 'The body is not valid UTF-8')
  }
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // The engine's message quotes the body, which belongs into no log.
    throw new MatrixError('M_NOT_JSON', 'The body is not valid JSON')
  }
}

/** Scans only texts long enough to nest that deep: each level needs its bracket and its closing bracket. */
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false
  let depth = 0
  let at = 0
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    if (unit === 0x22) at = endOfString(text, at)
    else if (unit === 0x5b || unit === 0x7b) depth++
    else if (unit === 0x5d || unit === 0x7d) depth--
    if (depth > MAX_JSON_DEPTH) return true
    at++
  }
  return false
}

/** Index of the quote that closes the string opened at `start`; the end of the text when none does. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at === -1 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}

function isUnicode(value: JsonValue): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isUnicode)
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isUnicode(item))
}
