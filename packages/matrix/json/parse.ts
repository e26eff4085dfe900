import { badJson, MatrixError } from '../errors/matrix-error.ts'
import type { JsonObject, JsonValue } from '../events/pdu.ts'
import { MAX_JSON_DEPTH } from './limits.ts'
import { parsePlain } from './parse-plain.ts'
import { hasEscapedKey, nestsDeeperThan } from './scan.ts'

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
  if (nestsDeeperThan(text, MAX_JSON_DEPTH))
    throw badJson(`JSON nested deeper than ${MAX_JSON_DEPTH} levels is not accepted`)
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

/**
 * Keys spelled with escapes go the long way: V8 (Node 24 to 26) compares the raw spelling of such a key with keys
 * of objects read before, so that after `{"x":0,"\\":1}` it reads `{"x":0,"\n":1}` as having the key `\`.
 * https://github.com/nodejs/node/issues/63785
 */
function parse(text: string): JsonValue {
  try {
    return hasEscapedKey(text) ? parsePlain(text) : (JSON.parse(text) as JsonValue)
  } catch {
    // The engine's message quotes the body, which belongs into no log.
    throw new MatrixError('M_NOT_JSON', 'The body is not valid JSON')
  }
}

function isUnicode(value: JsonValue): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isUnicode)
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isUnicode(item))
}
